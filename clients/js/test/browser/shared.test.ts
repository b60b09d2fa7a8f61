// Many tabs and one connection, in real browsers.

import type { BrowserContext } from "playwright-core";
import type { Stream } from "../../src/types.js";
import { afterEach, expect, test } from "vitest";
import { inEachBrowser, numbered, Tab } from "./browsers.js";
import { Proxy, Server } from "./server.js";

inEachBrowser((browser, name) => {
  let server: Server;
  let proxy: Proxy;
  let context: BrowserContext;
  const begin = async (...flags: string[]) => {
    // As often as the tabs expect it: a stream that seems silent is opened again.
    server = await Server.start("-heartbeat", "2s", ...flags);
    proxy = await Proxy.before(server);
    context = await browser().newContext();
  };
  afterEach(async () => {
    await context?.close();
    proxy?.close();
    await server?.stop("SIGKILL");
  });

  const cursor = async () => (await fetch(`${server.url}/cursor`)).text();
  const join = async (options: Record<string, unknown> = {}) => {
    const tab = await Tab.open(context, proxy.url);
    await tab.connect({ user: "u", heartbeat: 2000, ...options }, "shared");
    return tab;
  };
  const openAll = async (n: number, options: Record<string, unknown> = {}) => {
    const tabs = await Promise.all(Array.from({ length: n }, () => join(options)));
    for (const tab of tabs) await tab.isOpen();
    return tabs;
  };
  const oneStream = () => expect.poll(async () => Object.values(await server.streams()).reduce((a, b) => a + b, 0), { timeout: 15_000 }).toBe(1);
  /** The tab that holds the lock of the one that leads. */
  const leaderOf = async (tabs: Tab[]) => {
    for (const tab of tabs) {
      const leads = await tab.page.evaluate(() => {
        const probe = `probe ${Math.random()}`; // shows the client id of this page
        return navigator.locks.request(probe, async () => {
          const { held = [] } = await navigator.locks.query();
          const holder = (end: string) => held.find((l) => l.name?.endsWith(end))?.clientId;
          return holder(probe) === holder(":u");
        });
      });
      if (leads) return tab;
    }
    throw new Error("no tab leads");
  };

  test("ten tabs over HTTP/1.1 share one stream", async () => {
    await begin();
    const tabs = await openAll(10);
    await oneStream();
    await server.publish("a", { n: "100" });
    for (const tab of tabs) await tab.heard(numbered("a", 100));
    // The browser has connections left.
    for (const tab of tabs) expect(await tab.page.evaluate(() => fetch("/cursor").then((r) => r.status))).toBe(200);
    // An ephemeral event reaches them too, though no single one is promised to.
    const haveIt = async () => {
      await server.publish("t", { type: "test.typing" });
      return (await Promise.all(tabs.map((tab) => tab.texts()))).every((texts) => texts.includes("t"));
    };
    await expect.poll(haveIt, { timeout: 20_000, interval: 500 }).toBe(true);
  });

  test("other users have a stream of their own", async () => {
    await begin();
    await openAll(2);
    await openAll(2, { user: "v" });
    await expect.poll(async () => (await server.streams()).sse).toBe(2);
  });

  test("tabs that come and go, whoever leads, hear everything once", async () => {
    await begin();
    let tabs = await openAll(4);
    const heard: string[] = [];
    for (let i = 0; i < 6; i++) {
      await server.publish(`x${i}`, { n: "10" });
      heard.push(...numbered(`x${i}`, 10));
      const leader = await leaderOf(tabs);
      tabs = tabs.filter((t) => t !== leader);
      // Events before, while and after the leader goes.
      const published = server.publish(`y${i}`, { n: "200" });
      await leader.page.close();
      await published;
      heard.push(...numbered(`y${i}`, 200));
      for (const tab of tabs) await expect.poll(async () => (await tab.texts()).at(-1), { timeout: 20_000 }).toBe(heard.at(-1));
      if (i < 3) continue;
      const from = await cursor();
      const fresh = await join({ from });
      await fresh.isOpen();
      await fresh.page.evaluate((before) => void Object.assign(window, { before }), heard.length);
      tabs.push(fresh);
    }
    await oneStream();
    for (const tab of tabs) {
      const before = await tab.page.evaluate(() => (window as unknown as { before?: number }).before ?? 0);
      const texts = await tab.texts();
      // A page that joins is brought up to date from when it was asked for: perhaps a little more than from its cursor.
      expect(texts.length).toBeGreaterThanOrEqual(heard.length - before);
      expect(texts).toEqual(heard.slice(heard.length - texts.length));
      expect((await tab.notes()).gaps).toEqual([]);
    }
  });

  test("a tab that joins has missed nothing since its cursor", async () => {
    await begin();
    const [first] = await openAll(1);
    await server.publish("before the page");
    await first?.heard(["before the page"]);
    await new Promise((resolve) => setTimeout(resolve, 1500)); // more than clocks may differ
    const tab = await Tab.open(context, proxy.url);
    const from = await cursor();
    await server.publish("between", { n: "3" });
    await first?.heard(["before the page", ...numbered("between", 3)]);
    await tab.connect({ user: "u", from, heartbeat: 2000 }, "shared");
    await tab.heard(numbered("between", 3));
    expect((await server.streams()).sse).toBe(1); // the others knew
    await server.publish("after");
    await tab.heard([...numbered("between", 3), "after"]);
  });

  for (const ws of [undefined, "/ws"]) {
    test(`a tab that the others cannot help asks the server${ws ? ", over WebSocket" : ""}`, async () => {
      await begin();
      const [first] = await openAll(1, { categories: ["test"], ws });
      const tab = await Tab.open(context, proxy.url);
      const from = await cursor();
      await server.publish("o", { type: "other.text", n: "3" }); // nobody listens to that yet
      await server.publish("x", { n: "3" });
      await tab.connect({ user: "u", from, ws, heartbeat: 2000 }, "shared");
      await tab.heard([...numbered("o", 3), ...numbered("x", 3)]);
      // Until it has caught up there are two streams, and then one again.
      await server.publish("y", { n: "5" });
      await server.publish("p", { type: "other.text", n: "5" });
      await oneStream();
      await server.publish("z", { n: "5" });
      await server.publish("q", { type: "other.text", n: "5" });
      await tab.heard([...numbered("o", 3), ...numbered("x", 3), ...numbered("y", 5), ...numbered("p", 5), ...numbered("z", 5), ...numbered("q", 5)]);
      const texts = (await first?.texts())?.filter((t) => !/^[opq]/.test(String(t)));
      expect(texts).toEqual([...numbered("x", 3), ...numbered("y", 5), ...numbered("z", 5)]);
    });

    test(`a tab that catches up merges with the others when nothing happens${ws ? ", over WebSocket" : ""}`, async () => {
      await begin("-heartbeat", "1s");
      await openAll(1, { categories: ["test"], ws });
      const from = await cursor();
      const tab = await join({ from, ws });
      await tab.isOpen();
      await oneStream();
      await server.publish("x", { n: "3" });
      await server.publish("o", { type: "other.text", n: "3" });
      await tab.heard([...numbered("x", 3), ...numbered("o", 3)]);
    });
  }

  test("a change of filter widens the one stream, for who asked", async () => {
    await begin();
    for (const ws of [undefined, "/ws"]) {
      const user = `u${ws}`;
      const [first, second] = await openAll(2, { user, categories: ["test"], ws, transports: ws ? ["ws"] : ["sse"] });
      await first?.page.evaluate(() => {
        // biome-ignore lint: the page's globals
        const w = window as any;
        w.filters = [];
        w.stream.onFilter((f: unknown) => w.filters.push(f));
      });
      await second?.page.evaluate(() => {
        // biome-ignore lint: the page's globals
        const w = window as any;
        w.filters = [];
        w.stream.onFilter((f: unknown) => w.filters.push(f));
        w.stream.filter({ categories: ["other"] });
      });
      await second?.until("is told", () => (window as unknown as { filters: unknown[] }).filters.length === 1);
      await server.publish("x");
      await server.publish("o", { type: "other.text" });
      await second?.heard(["x", "o"]); // the first tab wants x
      await first?.heard(["x", "o"]);
      expect(await first?.page.evaluate(() => (window as unknown as { filters: unknown[] }).filters)).toEqual([]);
    }
  });

  for (const transport of ["sse", "ws"]) {
    test(`each tab with a topic of its own, over ${transport}, and one with a topic that is forbidden`, async () => {
      await begin();
      const options = { ws: "/ws", transports: [transport, "sse"] };
      const first = await join({ ...options, topics: ["room:1"] });
      await first.isOpen();
      const second = await join({ ...options, topics: ["room:2"] });
      await second.isOpen();
      await server.publish("one", { topic: "room:1" });
      await server.publish("two", { topic: "room:2" });
      for (const tab of [first, second]) await tab.heard(["one", "two"]); // the union
      const third = await join({ ...options, topics: ["secret"] });
      await expect.poll(() => third.status(), { timeout: 20_000 }).toMatchObject({ state: "ended" });
      await server.publish("three", { topic: "room:1" });
      await server.publish("four", { topic: "room:2" });
      for (const tab of [first, second]) await tab.heard(["one", "two", "three", "four"]);
      // The tab that leads asks for it: another one goes on.
      await first.page.evaluate(() => (window as unknown as { stream: { filter(f: unknown): void } }).stream.filter({ topics: ["secret"] }));
      await expect.poll(() => first.status(), { timeout: 20_000 }).toMatchObject({ state: "ended" });
      await server.publish("five", { topic: "room:2" });
      await second.heard(["one", "two", "three", "four", "five"]);
      await oneStream();
    });
  }

  for (const transport of ["sse", "ws"]) {
    test(`a topic that the server takes is not asked for again, over ${transport}`, async () => {
      await begin();
      const options = { ws: "/ws", transports: [transport], topics: ["room:1"] };
      const tabs = [await join(options), await join(options)];
      for (const tab of tabs) await tab.isOpen();
      await server.publish("one", { topic: "room:1" });
      for (const tab of tabs) await tab.heard(["one"]);
      await server.move("join", "room:2");
      await server.publish("two", { topic: "room:2" });
      for (const tab of tabs) await tab.heard(["one", "two"]);
      await server.move("leave", "room:1");
      await server.publish("nobody hears this", { topic: "room:1" });
      const want = { topics: ["room:2", "room:3"] };
      for (const tab of tabs) {
        await tab.page.evaluate(
          (want) =>
            new Promise<void>((done) => {
              const { stream } = window as unknown as { stream: Stream };
              stream.onFilter(({ ref }) => ref !== undefined && done()); // without one, it is the server's doing
              stream.filter(want);
            }),
          want,
        );
        await tab.isOpen();
      }
      await server.publish("three", { topic: "room:3" });
      for (const tab of tabs) await tab.heard(["one", "two", "three"]);
      for (const tab of tabs) {
        const { states, problems, gaps } = await tab.notes();
        expect([...states.filter((s) => s.startsWith("ended")), ...problems, ...gaps]).toEqual([]);
      }
    });
  }

  test("a server that stops and comes back is a gap for all", async () => {
    await begin();
    const tabs = await openAll(3);
    await server.stop();
    await server.start();
    for (const tab of tabs) await expect.poll(async () => (await tab.notes()).gaps, { timeout: 30_000 }).toEqual(["unknown"]);
    await server.publish("after");
    for (const tab of tabs) await tab.heard(["after"]);
  });

  test("a session that ends ends it for all, and the next page begins anew", async () => {
    await begin();
    const tabs = await openAll(3);
    await oneStream();
    await server.post("/revoke");
    for (const tab of tabs) await expect.poll(() => tab.status(), { timeout: 20_000 }).toMatchObject({ state: "ended" });
    const reasons = await Promise.all(tabs.map(async (tab) => (await tab.status()).reason));
    expect(reasons).toContain("revoked");
    // A tab may come to lead before it hears why the last one has ended, and ask the server.
    expect(reasons.every((reason) => reason === "revoked" || reason === "unauthenticated"), String(reasons)).toBe(true);
    await server.post("/admit");
    const [next] = await openAll(1);
    await server.publish("again");
    await next?.heard(["again"]);
  });

  test("without Web Locks, each tab has its own", async () => {
    await begin();
    const tab = await Tab.open(context, proxy.url);
    await tab.page.evaluate(() => Object.defineProperty(navigator, "locks", { value: undefined }));
    await tab.connect({ user: "u" }, "shared");
    await tab.isOpen();
    await server.publish("alone");
    await tab.heard(["alone"]);
  });

  // Only Chromium can be told to crash a page.
  test.runIf(name === "chromium")("the leader's tab crashes", async () => {
    await begin();
    let tabs = await openAll(4);
    const heard: string[] = [];
    for (let i = 0; i < 3; i++) {
      const leader = await leaderOf(tabs);
      tabs = tabs.filter((t) => t !== leader);
      const cdp = await context.newCDPSession(leader.page);
      const published = server.publish(`c${i}`, { n: "200" });
      cdp.send("Page.crash").catch(() => {});
      await published;
      heard.push(...numbered(`c${i}`, 200));
      for (const tab of tabs) await tab.heard(heard);
    }
    await oneStream();
  });

  test("the leader's tab stands still, and goes on", async () => {
    await begin();
    const tabs = await openAll(4);
    const heard: string[] = [];
    const leader = await leaderOf(tabs);
    const others = tabs.filter((t) => t !== leader);
    const STILL = 15_000;
    const began = Date.now();
    await leader.halt(STILL);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await server.publish("f", { n: "50" });
    heard.push(...numbered("f", 50));
    for (const tab of others) await expect.poll(async () => (await tab.texts()).at(-1), { timeout: 20_000 }).toBe(heard.at(-1));
    expect(Date.now() - began).toBeLessThan(STILL); // another one leads meanwhile
    await leader.until("it goes on", () => true);
    await server.publish("g", { n: "50" });
    heard.push(...numbered("g", 50));
    for (const tab of tabs) await tab.heard(heard);
    await oneStream();
    for (const tab of tabs) expect((await tab.notes()).gaps).toEqual([]);
  });

  test("another tab stands still, and goes on", async () => {
    await begin();
    const tabs = await openAll(3);
    const leader = await leaderOf(tabs);
    const [sleeper] = tabs.filter((t) => t !== leader) as [Tab];
    await sleeper.halt(12_000);
    await server.publish("a", { n: "50" });
    await leader.heard(numbered("a", 50));
    await sleeper.until("it goes on", () => true);
    await sleeper.heard(numbered("a", 50));
    await server.publish("b");
    for (const tab of tabs) await tab.heard([...numbered("a", 50), "b"]);
    await oneStream();
  });
});
