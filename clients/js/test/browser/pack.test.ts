// The package as npm packs it, in projects that have nothing else: on Node, Deno
// and Bun, and built by Vite.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { inEachBrowser } from "./browsers.js";
import { Server } from "./server.js";

let project: string;
let server: Server;

const run = (program: string, ...args: string[]) => execFileSync(program, args, { cwd: project, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), "crier-consumer-"));
  const packed: { filename: string; files: { path: string }[] }[] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", project], { encoding: "utf8" }));
  const [{ filename, files }] = Object.values(packed) as [{ filename: string; files: { path: string }[] }];
  expect(files.map((f) => f.path.split("/")[0]).sort()).not.toContain("src");
  cpSync("examples", join(project, "examples"), { recursive: true });
  cpSync("test/consumers", project, { recursive: true, filter: (from) => !from.includes("node_modules") });
  run("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund");
  run("npm", "install", "--no-save", "--no-audit", "--no-fund", `./${filename}`);
  server = await Server.start();
}, 180_000);

afterAll(async () => {
  await server?.stop("SIGKILL");
  rmSync(project, { recursive: true, force: true });
});

describe("without a browser", () => {
  const programs: Record<string, { start: string[]; transports: string[] }> = {
    // Node has a WebSocket of its own since version 22.
    node: { start: [process.execPath, "listen.js"], transports: ["sse", "poll", ...("WebSocket" in globalThis ? ["ws"] : [])] },
    deno: { start: ["node_modules/.bin/deno", "run", "--allow-all", "listen.js"], transports: ["sse", "ws", "poll"] },
    bun: { start: ["node_modules/.bin/bun", "listen.js"], transports: ["sse", "ws", "poll"] },
  };
  for (const [name, { start, transports }] of Object.entries(programs)) {
    for (const transport of transports) {
      test(`${name} listens over ${transport}`, async () => {
        const [program, ...args] = start as [string, ...string[]];
        const listener = spawn(program, args, { cwd: project, env: { ...process.env, SERVER: server.url, TRANSPORT: transport }, stdio: ["ignore", "pipe", "inherit"] });
        let said = "";
        listener.stdout.on("data", (data) => (said += data));
        const exit = once(listener, "exit");
        await expect.poll(() => said, { timeout: 30_000 }).toContain(`status open ${transport}`);
        await server.publish("the first");
        await server.publish("the last");
        expect(await exit).toEqual([0, null]); // by itself: nothing is left open
        expect(said.match(/heard .*/g)).toEqual(["heard the first", "heard the last"]);
      });
    }
  }
});

test("the types are found", () => {
  run("node_modules/.bin/tsc", "-p", ".");
});

test("Vite builds pages, with one copy of the client", () => {
  run("node_modules/.bin/vite", "build", "--logLevel", "warn");
  const built = readdirSync(join(project, "dist/assets")).map((name) => readFileSync(join(project, "dist/assets", name), "utf8"));
  expect(built.join().match(/last_event_id/g)?.length).toBe(1);
});

inEachBrowser((browser) => {
  let preview: ChildProcess;
  let url: string;
  beforeAll(async () => {
    preview = spawn(join(project, "node_modules/.bin/vite"), ["preview", "--port", "0"], { cwd: project, env: { ...process.env, SERVER: server.url, NO_COLOR: "1" }, stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    preview.stdout?.on("data", (data) => (said += data));
    await vi.waitFor(() => {
      url = said.match(/http:\/\/127\.0\.0\.1:\d+/)?.[0] ?? "";
      expect(url, said).not.toBe("");
    }, 30_000);
  });
  afterAll(() => preview?.kill());

  test("a page hears", async () => {
    const page = await browser().newPage();
    await page.goto(url);
    const last = () => page.evaluate(() => JSON.stringify({ ...(document.querySelector("#last") as HTMLElement).dataset }));
    await expect.poll(last, { timeout: 20_000 }).toBe('{"state":"open","shared":"open"}');
    await server.publish("built by Vite");
    const texts = () => page.evaluate(() => [document.querySelector("#last")?.textContent, (document.querySelector("#last") as HTMLElement).title]);
    await expect.poll(texts, { timeout: 20_000 }).toEqual(["built by Vite", "built by Vite"]);
    await page.close();
  });

  for (const example of ["react.html", "svelte.html", "vue.html", "examples/htmx.html"]) {
    test(`the example of ${example}`, async () => {
      const page = await browser().newPage();
      await page.goto(`${url}/${example}`);
      await expect.poll(() => page.evaluate(() => document.querySelector("p")?.textContent), { timeout: 20_000 }).toBe("open");
      await server.publish(`to ${example}`);
      const list = () => page.evaluate(() => [...document.querySelectorAll("li")].at(-1)?.textContent);
      await expect.poll(list, { timeout: 20_000 }).toBe(`to ${example}`);
      await page.close();
    });
  }
});
