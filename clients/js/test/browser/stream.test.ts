// The client in real browsers, against the real server.

import type { BrowserContext } from "playwright-core";
import { afterEach, expect, test } from "vitest";
import { inEachBrowser, numbered, Tab } from "./browsers.js";
import { Proxy, Server } from "./server.js";

inEachBrowser((browser) => {
  let server: Server;
  let proxy: Proxy;
  let context: BrowserContext;
  const begin = async (...flags: string[]) => {
    server = await Server.start(...flags);
    proxy = await Proxy.before(server);
    context = await browser().newContext();
  };
  afterEach(async () => {
    await context?.close();
    proxy?.close();
    await server?.stop("SIGKILL");
  });
  const ALL = { ws: "/ws", poll: "/poll" };

  for (const transport of ["sse", "ws", "poll"]) {
    test(`a line that breaks loses and doubles nothing, over ${transport}`, async () => {
      await begin();
      const tab = await Tab.open(context, proxy.url);
      await tab.connect({ ...ALL, transports: [transport] });
      await tab.isOpen(transport);
      await server.publish("a", { n: "3" });
      await tab.heard(numbered("a", 3));
      proxy.cut();
      await server.publish("b", { n: "30" });
      proxy.mend();
      await tab.heard([...numbered("a", 3), ...numbered("b", 30)]);
      await server.publish("c");
      await tab.heard([...numbered("a", 3), ...numbered("b", 30), "c"]);
      expect((await tab.notes()).gaps).toEqual([]);
    });
  }

  test("a page's cursor", async () => {
    await begin();
    const tab = await Tab.open(context, proxy.url);
    const from = await (await fetch(`${server.url}/cursor`)).text();
    await server.publish("between");
    await tab.connect({ from });
    await tab.heard(["between"]);
  });

  test("an ephemeral event", async () => {
    await begin();
    for (const transport of ["sse", "ws"]) {
      const tab = await Tab.open(context, proxy.url);
      await tab.connect({ ...ALL, transports: [transport] });
      await tab.isOpen(transport);
      await server.publish("t", { type: "test.typing" });
      await server.publish("after");
      await tab.heard(["t", "after"]);
    }
  });

  test("a proxy that buffers streams, and one that also refuses WebSocket", async () => {
    await begin();
    proxy.sse = "buffer";
    const tab = await Tab.open(context, proxy.url);
    await tab.connect(ALL);
    await tab.isOpen("ws");
    await server.publish("over ws");
    await tab.heard(["over ws"]);
    // The next page knows.
    const before = proxy.requests.filter((r) => r === "GET /events").length;
    const second = await Tab.open(context, proxy.url);
    await second.connect(ALL);
    await second.isOpen("ws");
    expect(proxy.requests.filter((r) => r === "GET /events").length).toBe(before);
    proxy.ws = "refuse";
    proxy.cut();
    proxy.mend();
    await server.publish("meanwhile");
    await tab.isOpen("poll");
    await server.publish("over poll");
    await tab.heard(["over ws", "meanwhile", "over poll"]);
    expect((await tab.notes()).gaps).toEqual([]);
  });

  test("a WebSocket that hangs", async () => {
    await begin();
    proxy.ws = "hang";
    const tab = await Tab.open(context, proxy.url);
    await tab.connect({ ...ALL, transports: ["ws", "sse"] });
    await tab.isOpen("sse");
  });

  test("a network's own page in place of the stream", async () => {
    await begin();
    proxy.sse = "html";
    const tab = await Tab.open(context, proxy.url);
    await tab.connect({});
    await expect.poll(async () => (await tab.notes()).problems[0], { timeout: 20_000 }).toBe("not-a-stream");
    proxy.sse = "pass"; // paid
    await tab.isOpen("sse");
  });

  test("a server that stops, and one that crashes", async () => {
    await begin();
    const tabs = [];
    for (const transport of ["sse", "ws", "poll"]) {
      const tab = await Tab.open(context, proxy.url);
      await tab.connect({ ...ALL, transports: [transport] });
      await tab.isOpen(transport);
      tabs.push(tab);
    }
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      await server.stop(signal);
      await server.start();
      for (const tab of tabs) await expect.poll(async () => (await tab.notes()).gaps.at(-1), { timeout: 30_000 }).toBe("unknown");
      await server.publish(signal);
      for (const tab of tabs) {
        await expect.poll(async () => (await tab.texts()).at(-1), { timeout: 20_000 }).toBe(signal);
        await tab.page.evaluate(() => (window as unknown as { notes: { gaps: string[] } }).notes.gaps.splice(0));
      }
    }
    for (const tab of tabs) expect(await tab.texts()).toEqual(["SIGTERM", "SIGKILL"]);
  });

  test("offline, and online again", async () => {
    await begin();
    const tab = await Tab.open(context, proxy.url);
    await tab.connect({});
    await tab.isOpen();
    // Neither browser cuts what is open when it is told to be offline, as the loss of a network would.
    await context.setOffline(true);
    proxy.cut();
    await expect.poll(async () => (await tab.status()).state).toBe("retrying");
    await server.publish("meanwhile");
    await new Promise((resolve) => setTimeout(resolve, 8000)); // so that the backoff has grown
    proxy.mend();
    await context.setOffline(false);
    await tab.page.evaluate(() => window.dispatchEvent(new Event("online")));
    const began = Date.now();
    await tab.heard(["meanwhile"]);
    expect(Date.now() - began).toBeLessThan(2000);
  });

  test("a token that expires", async () => {
    await begin("-token", "t1");
    for (const transport of ["sse", "ws", "poll"]) {
      await server.post("/token?valid=t1");
      const tab = await Tab.open(context, proxy.url);
      await tab.page.exposeFunction("token", (refused?: string) => (refused ? "t2" : "t1"));
      await tab.page.evaluate(
        (options) => {
          // biome-ignore lint: the page's globals
          const w = window as any;
          w.texts = [];
          w.stream = w.crier.connect("/events", { ...options, token: w.token });
          w.stream.on("test.text", (e: { data: string }) => w.texts.push(e.data));
        },
        { ...ALL, transports: [transport] },
      );
      await tab.isOpen(transport);
      await server.publish("before");
      await tab.until("hears", () => (window as unknown as { texts: string[] }).texts.length === 1);
      await server.post("/token?valid=t2");
      await server.publish("after");
      await tab.until("hears with the new token", () => (window as unknown as { texts: string[] }).texts.join() === "before,after");
      await server.post("/token?valid=t3");
      await expect.poll(async () => (await tab.status()).state, { timeout: 20_000 }).toBe("ended");
      await tab.page.close();
    }
  });

  test("nobody is let in", async () => {
    await begin("-token", "t1");
    for (const transport of ["sse", "ws", "poll"]) {
      const tab = await Tab.open(context, proxy.url);
      await tab.connect({ ...ALL, transports: [transport] });
      await expect.poll(async () => tab.status(), { timeout: 20_000 }).toMatchObject({ state: "ended", reason: "unauthenticated" });
    }
  });

  test("topics", async () => {
    await begin();
    for (const transport of ["sse", "ws", "poll"]) {
      const tab = await Tab.open(context, proxy.url);
      await tab.connect({ ...ALL, transports: [transport], topics: ["room:1"] });
      await tab.isOpen(transport);
      await server.publish("two", { topic: "room:2" });
      await server.publish("one", { topic: "room:1" });
      await tab.heard(["one"]);
      await tab.page.evaluate(() => {
        // biome-ignore lint: the page's globals
        const w = window as any;
        w.filters = [];
        w.stream.onFilter((f: unknown) => w.filters.push(f));
        w.stream.filter({ topics: ["room:2"] });
      });
      await tab.until("the filter is in effect", () => (window as unknown as { filters: unknown[] }).filters.length === 1);
      await server.publish("three", { topic: "room:1" });
      await server.publish("four", { topic: "room:2" });
      await tab.heard(["one", "four"]);
      proxy.cut();
      proxy.mend();
      await server.publish("five", { topic: "room:2" });
      await tab.heard(["one", "four", "five"]);
      expect((await tab.notes()).gaps).toEqual([]);
    }
  });

  test("a worker", async () => {
    await begin();
    const tab = await Tab.open(context, proxy.url);
    await tab.page.evaluate(async () => {
      const code = `
        import { connect } from "${location.origin}/crier.js";
        const stream = connect("${location.origin}/events");
        stream.on("test.text", (e) => postMessage(e.data));
        stream.onStatus((s) => s.state === "open" && postMessage("open"));`;
      // biome-ignore lint: the page's globals
      const w = window as any;
      w.said = [];
      w.worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
      w.worker.onmessage = (e: MessageEvent) => w.said.push(e.data);
    });
    await tab.until("the worker's stream is open", () => (window as unknown as { said: string[] }).said.includes("open"));
    await server.publish("to a worker");
    await tab.until("the worker hears", () => (window as unknown as { said: string[] }).said.includes("to a worker"));
  });

  test("a page that stands still for longer than a heartbeat", async () => {
    await begin("-heartbeat", "2s");
    const tab = await Tab.open(context, proxy.url);
    await tab.connect({ heartbeat: 2000 });
    await tab.isOpen();
    await server.publish("before");
    await tab.heard(["before"]);
    await tab.halt(5000);
    await server.publish("asleep", { n: "20" });
    await tab.until("it is awake", () => true);
    await server.publish("after");
    await tab.heard(["before", ...numbered("asleep", 20), "after"]);
    expect((await tab.notes()).gaps).toEqual([]);
  });

  test("silence", async () => {
    await begin("-heartbeat", "1h"); // a server that is silent for longer than the client was told
    const tab = await Tab.open(context, proxy.url);
    await tab.connect({ heartbeat: 1000 });
    await tab.isOpen();
    await expect.poll(async () => (await tab.notes()).states, { timeout: 20_000 }).toContain("retrying sse silent");
    await server.publish("still here");
    await tab.heard(["still here"]);
  });
});
