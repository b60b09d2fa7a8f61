// The chat of examples, which uses this client, in both browsers. What it shows to
// people is tested beside it, in Chromium; here it is the stream that matters.

import type { BrowserContext, Page } from "playwright-core";
import { afterEach, expect, test } from "vitest";
import { inEachBrowser, numbered } from "./browsers.js";
import { Proxy, Server } from "./server.js";

// pagesOf returns how many streams pages have: the chat has one of its own, which
// reads what was said.
const pagesOf = (streams: Record<string, number>): number[] => [streams.sse ?? 0, streams.ws ?? 0];

inEachBrowser((browser) => {
  let server: Server;
  let proxy: Proxy;
  const contexts: BrowserContext[] = [];
  const begin = async () => {
    server = await Server.chat();
    proxy = await Proxy.before(server);
  };
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
    proxy?.close();
    await server?.stop("SIGKILL");
  });

  /** Somebody who is logged in; of several tabs, this is the first. */
  const enter = async (name: string): Promise<Page> => {
    const context = await browser().newContext();
    contexts.push(context);
    const page = await context.newPage();
    await page.goto(proxy.url);
    await page.fill("[data-testid=login-name]", name);
    await page.click("[data-testid=login-submit]");
    await isOpen(page);
    return page;
  };
  const another = async (page: Page): Promise<Page> => {
    const tab = await page.context().newPage();
    await tab.goto(proxy.url);
    await isOpen(tab);
    return tab;
  };
  const status = (page: Page) => page.evaluate(() => ({ ...(document.querySelector("#status") as HTMLElement | null)?.dataset }));
  const is = (page: Page, want: Record<string, string>) => expect.poll(() => status(page), { timeout: 30_000 }).toMatchObject(want);
  const isOpen = (page: Page, transport?: string) => is(page, { state: "open", ...(transport && { transport }) });
  const say = (page: Page, text: string) => page.evaluate((text) => fetch("/messages", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ text, to: "" }) }).then((r) => r.status), text);
  const sayAll = async (page: Page, texts: string[]) => {
    for (const text of texts) expect(await say(page, text)).toBe(202);
  };
  const sees = async (page: Page, texts: string[]) => {
    const shown = () => page.evaluate(() => [...document.querySelectorAll("[data-testid=message-text]")].map((m) => m.textContent));
    await expect.poll(async () => (await shown()).at(-1), { timeout: 30_000 }).toBe(texts.at(-1));
    expect(await shown()).toEqual(texts);
  };
  const noGap = async (page: Page) => expect(await page.evaluate(() => (document.querySelector("#gap") as HTMLElement).hidden)).toBe(true);

  test("a pulled plug, a broken line, and a page that stands still", async () => {
    await begin();
    const ada = await enter("Ada");
    const grace = await enter("Grace");
    await grace.click("[data-testid=plug]");
    await is(grace, { state: "cut" });
    await sayAll(ada, numbered("cut", 5));
    await grace.click("[data-testid=plug]");
    await sees(grace, numbered("cut", 5));
    await is(grace, { replayedMessages: "5" });
    proxy.cut();
    await is(grace, { state: "retrying" });
    proxy.mend();
    await isOpen(grace);
    await isOpen(ada);
    await grace.evaluate(() => void setTimeout(() => { for (const end = performance.now() + 3000; performance.now() < end; ); }));
    await sayAll(ada, numbered("still", 5));
    await sees(grace, [...numbered("cut", 5), ...numbered("still", 5)]);
    await noGap(grace);
  });

  test("a proxy that buffers", async () => {
    await begin();
    proxy.sse = "buffer";
    const ada = await enter("Ada");
    await isOpen(ada, "ws");
    await sayAll(ada, ["over WebSocket"]);
    await sees(ada, ["over WebSocket"]);
  });

  test("ten tabs share a connection, and the one that has it is closed", async () => {
    await begin();
    const ada = await enter("Ada");
    const grace = await enter("Grace");
    await grace.click("[data-testid=shared]");
    await isOpen(grace);
    // A tab that is opened by a page takes its session storage along; these do not.
    const tabs = [grace];
    for (let i = 1; i < 10; i++) {
      const tab = await another(grace);
      await tab.click("[data-testid=shared]");
      await isOpen(tab);
      tabs.push(tab);
    }
    const streams = async () => pagesOf((await (await fetch(`${server.url}/stats`)).json()).streams as Record<string, number>).reduce((a, b) => a + b, 0);
    await expect.poll(streams, { timeout: 30_000 }).toBe(2); // Ada's, and Grace's
    await sayAll(ada, numbered("all", 3));
    for (const tab of tabs) await sees(tab, numbered("all", 3));
    const [leader, ...others] = tabs as [Page, ...Page[]]; // the first one to share
    const rest = sayAll(ada, numbered("on", 10));
    await leader.close();
    await rest;
    for (const tab of others) {
      await sees(tab, [...numbered("all", 3), ...numbered("on", 10)]);
      await noGap(tab);
    }
    await expect.poll(streams, { timeout: 30_000 }).toBe(2);
  });

  test("a session that is over", async () => {
    await begin();
    const ada = await enter("Ada");
    const second = await another(ada);
    await ada.click("[data-testid=logout]");
    await is(second, { state: "ended", reason: "revoked" });
    // A session that the server does not know any more: the cookie has expired.
    const grace = await enter("Grace");
    await grace.context().clearCookies();
    proxy.cut();
    proxy.mend();
    await is(grace, { state: "ended", reason: "unauthenticated" });
  });
});
