import { beforeEach, describe, expect, test, vi } from "vitest";
import { connect, type Options, type Problem } from "../../src/crier.js";
import { type Attempt, pass, useNet } from "./net.js";

const here = useNet();
const EVENTS = "https://app.test/events";
const ALL: Options = { ws: "https://app.test/ws", poll: "https://app.test/poll" };

const html = () => new Response("<!doctype html><title>Log in to the hotel's network</title>", { headers: { "content-type": "text/html" } });
const answer = (events: unknown[], cursor: string) => Response.json({ events, cursor });
const over = (a: Attempt) => (a.kind === "ws" ? "ws" : a.url.pathname === "/poll" ? "poll" : "sse");

describe("a transport that does not get through", () => {
  test("makes way for the next one after 5 s without a cursor", async () => {
    const { net } = here;
    net.answer = (a) => (over(a) === "sse" ? "stream" : "open"); // a proxy that buffers
    const stream = connect(EVENTS, { ...ALL, from: "page" });
    await pass(4999);
    expect(net.log).toEqual(["0 GET /events"]);
    await pass(5);
    expect(net.log.slice(1).map((l) => l.replace(/^\d+ /, ""))).toEqual(["ws /ws"]);
    expect(net.attempts[0]?.closed).toBe(true);
    expect(stream.status).toEqual({ state: "open", transport: "ws" });
    expect(net.last.attempt.url.searchParams.get("last_event_id")).toBe("page");
  });

  test("is remembered for an hour, also by the next page", async () => {
    const { net, page } = here;
    net.answer = (a) => (over(a) === "sse" ? "hang" : "open");
    const first = connect(EVENTS, ALL);
    await pass(6000);
    expect(first.status.transport).toBe("ws");
    net.last.close(1006);
    await pass(7000);
    expect(net.attempts.map(over)).toEqual(["sse", "ws", "ws"]);
    first.close();
    const second = connect(EVENTS, ALL);
    await pass(0);
    expect(second.status).toEqual({ state: "open", transport: "ws" });
    expect([...page.store.keys()]).toEqual([`crier:${EVENTS}`]);
    second.close();
    net.answer = () => "open";
    await pass(3_600_000);
    const third = connect(EVENTS, ALL);
    await pass(0);
    expect(third.status.transport).toBe("sse");
  });

  test("is remembered without storage, too", async () => {
    const { net, page } = here;
    page.forbidden = true;
    const url = `${EVENTS}?private`;
    net.answer = (a) => (over(a) === "sse" ? "hang" : "open");
    const stream = connect(url, ALL);
    await pass(6000);
    expect(stream.status.transport).toBe("ws");
    stream.close();
    const again = connect(url, ALL);
    await pass(0);
    expect(again.status.transport).toBe("ws");
  });

  test("what is stored may be anything", async () => {
    const { page } = here;
    for (const note of ["", "x", "ws", "ws NaN", "pigeon 1700000000000", `ws ${Number.MAX_SAFE_INTEGER}`]) {
      page.store.set(`crier:${EVENTS}`, note);
      const stream = connect(EVENTS, ALL);
      await pass(0);
      expect(stream.status).toEqual({ state: "open", transport: "sse" });
      stream.close();
    }
  });

  test("one that was remembered makes way for the preferred one", async () => {
    const { net, page } = here;
    page.store.set(`crier:${EVENTS}`, `ws ${Date.now()}`);
    net.answer = (a) => (over(a) === "ws" ? new Error("no upgrade") : "open");
    const stream = connect(EVENTS, ALL);
    await pass(2000);
    expect(net.log.map((l) => l.replace(/^\d+ /, ""))).toEqual(["ws /ws", "HEAD /events", "GET /events"]);
    expect(stream.status.transport).toBe("sse");
  });

  test("one that was remembered is not tried again before the others", async () => {
    const { net, page } = here;
    page.store.set(`crier:${EVENTS}`, `ws ${Date.now()}`);
    net.answer = (a) => (a.method === "HEAD" || over(a) === "poll" ? answer([], "c0") : over(a) === "ws" ? new Error("no upgrade") : "hang");
    const stream = connect(EVENTS, ALL);
    await pass(6600);
    expect(net.attempts.map(over)).toEqual(["ws", "sse", "sse", "poll", "poll"]); // the first sse is the HEAD
    expect(stream.status.transport).toBe("poll");
  });

  test("long-polling is the last resort", async () => {
    const { net } = here;
    net.answer = (a) => {
      if (over(a) === "ws") return new Error("no upgrade");
      if (a.method === "HEAD") return "open";
      if (over(a) === "sse") return "hang";
      return a.url.searchParams.has("last_event_id") ? "hang" : answer([], "c0");
    };
    const stream = connect(EVENTS, ALL);
    await pass(7000);
    expect(stream.status).toEqual({ state: "open", transport: "poll" });
    expect(stream.cursor).toBe("c0");
    expect(net.closest).toBeGreaterThanOrEqual(500);
  });

  test("HTML in place of a stream is told, and makes way at once", async () => {
    const { net } = here;
    net.answer = (a) => (over(a) === "sse" ? html() : "open");
    const stream = connect(EVENTS, ALL);
    const problems: Problem[] = [];
    stream.onError((p) => problems.push(p));
    await pass(600);
    expect(stream.status.transport).toBe("ws");
    expect(problems).toMatchObject([{ kind: "not-a-stream", status: 200, message: expect.stringContaining("text/html") }]);
  });

  test("a WebSocket that fails with the whole network is not given up", async () => {
    const { net, page } = here;
    page.store.set(`crier:${EVENTS}`, `ws ${Date.now()}`);
    net.answer = () => new TypeError("network error");
    const stream = connect(EVENTS, ALL);
    await pass(120_000);
    expect(new Set(net.attempts.filter((a) => a.method !== "HEAD").map(over))).toEqual(new Set(["ws"]));
    // The network comes back, but not between an attempt and the question why it failed.
    while (net.attempts.at(-1)?.method !== "HEAD") await pass(100);
    await pass(0);
    net.answer = () => "open";
    await pass(20_000);
    expect(stream.status).toMatchObject({ state: "open", transport: "ws" });
  });

  test("a server in trouble is waited for, as long as it says", async () => {
    const { net } = here;
    net.answer = () => new Response("", { status: 503, headers: { "retry-after": "40" } });
    const stream = connect(EVENTS, ALL);
    await pass(39_000);
    expect(net.attempts.length).toBe(1);
    net.answer = () => "open";
    await pass(2000);
    expect(stream.status).toMatchObject({ state: "open", transport: "sse" });
  });

  test("a slow network gets more time in the next round", async () => {
    const { net } = here;
    net.answer = async (a) => {
      await new Promise((resolve) => setTimeout(resolve, 8000));
      return a.closed ? "hang" : "open";
    };
    const stream = connect(EVENTS, ALL);
    await pass(120_000);
    expect(stream.status.state).toBe("open");
  });
});

describe("an EventSource", () => {
  test("is used where fetch cannot stream, and hears the types it is told of", async () => {
    const { net } = here;
    vi.stubGlobal("ReadableStream", undefined);
    const stream = connect(EVENTS, { types: ["b"] });
    const heard: unknown[] = [];
    stream.on("a", (e) => heard.push([e.id, e.data]));
    await pass(0);
    expect(net.log).toEqual(["0 eventsource /events"]);
    stream.on("c", (e) => heard.push([e.id, e.data]));
    for (const [id, type] of [["1", "a"], ["", "a"], ["2", "b"], ["", "c"], ["3", "c"]] as const) net.last.send(id, type, type);
    expect(heard).toEqual([["1", "a"], ["", "a"], ["", "c"], ["3", "c"]]);
    expect(stream.cursor).toBe("3");
    net.last.close();
    await pass(3000);
    expect(net.last.attempt.url.search).toBe("?last_event_id=3");
    expect(net.attempts[0]?.closed).toBe(true);
  });

  test("that is refused asks why", async () => {
    const { net } = here;
    vi.stubGlobal("ReadableStream", undefined);
    net.answer = () => new Response(null, { status: 401 });
    const stream = connect(EVENTS);
    await pass(60_000);
    expect(stream.status).toMatchObject({ state: "ended", reason: "unauthenticated" });
    expect(net.log.length).toBe(2);
  });
});

describe("long-polling", () => {
  const POLL: Options = { ...ALL, transports: ["poll"] };

  test("goes on from the cursor of each answer", async () => {
    const { net } = here;
    const answers = [answer([{ id: "c0", event: "stream.cursor", data: {} }], "c0"), answer([{ id: "e1", event: "a", data: 1 }, { event: "typing", data: 2 }], "c1"), answer([], "c2")];
    net.answer = () => answers.shift() ?? "hang";
    const stream = connect(EVENTS, POLL);
    const heard: unknown[] = [];
    stream.on("a", (e) => heard.push([e.id, e.data]));
    stream.on("typing", (e) => heard.push([e.id, e.data]));
    await pass(3000);
    expect(net.attempts.map((a) => a.url.search)).toEqual(["", "?last_event_id=c0", "?last_event_id=c1", "?last_event_id=c2"]);
    expect(heard).toEqual([["e1", 1], ["", 2]]);
    expect(stream.cursor).toBe("c2");
  });

  test("an answer that breaks off is asked for again", async () => {
    const { net } = here;
    const answers: (Response | Error)[] = [
      answer([], "c0"),
      new Response('{"events":[{"id":"e1","event":"a","data":1},', { headers: { "content-type": "application/json" } }),
      answer([{ id: "e1", event: "a", data: 1 }, { id: "e2", event: "a", data: 2 }], "e2"),
    ];
    net.answer = () => answers.shift() ?? "hang";
    const stream = connect(EVENTS, POLL);
    const heard: unknown[] = [];
    stream.on("a", (e) => heard.push(e.id));
    await pass(10_000);
    expect(heard).toEqual(["e1", "e2"]);
    expect(net.attempts[2]?.url.search).toBe("?last_event_id=c0");
  });

  test("a session that ends in an answer ends the stream", async () => {
    const { net } = here;
    net.answer = () => answer([{ id: "e1", event: "stream.end", data: { reason: "revoked" } }, { id: "e2", event: "a", data: 2 }], "e2");
    const stream = connect(EVENTS, POLL);
    stream.on("a", () => expect.unreachable());
    await pass(60_000);
    expect(stream.status).toMatchObject({ state: "ended", reason: "revoked" });
    expect(net.attempts.length).toBe(1);
  });

  test("a server that holds an answer for a heartbeat is not dead", async () => {
    const { net } = here;
    net.answer = async () => {
      await new Promise((resolve) => setTimeout(resolve, 25_000));
      return answer([], "c1");
    };
    const stream = connect(EVENTS, { ...POLL, from: "c0" });
    const states: string[] = [];
    stream.onStatus((s) => states.push(s.state));
    await pass(2001);
    expect(stream.status.state).toBe("open"); // as far as anybody can tell
    await pass(297_999);
    expect(states).toEqual(["connecting", "open"]);
    expect(net.attempts.length).toBe(12);
  });
});

// At most one request per 500 ms, whatever goes wrong. The times are printed.
describe("never a tight loop", () => {
  // Waits of medium length, so that the numbers of requests are the same in every run.
  beforeEach(() => void vi.spyOn(Math, "random").mockReturnValue(0.5));

  const failures: Record<string, { answer: (a: Attempt) => ReturnType<typeof here.net.answer>; most: number; options?: Options; each?: () => void }> = {
    "the server is away": { answer: () => new TypeError("network error"), most: 40 },
    "every answer is a 500": { answer: () => new Response("", { status: 500 }), most: 40 },
    "every answer is a 500 with retry-after 0": { answer: () => new Response("", { status: 500, headers: { "retry-after": "0" } }), most: 40 },
    "every answer is a 404": { answer: () => new Response("", { status: 404 }), most: 80 },
    "every answer is HTML": { answer: (a) => (a.kind === "fetch" ? html() : new Error("refused")), most: 120 },
    "every answer hangs": { answer: () => "hang", most: 60 },
    "every answer is an empty list": { answer: () => answer([], "c0"), most: 601, options: { transports: ["poll"] } },
    "every answer is the same list": { answer: () => answer([{ id: "e1", event: "a", data: 1 }], "e1"), most: 601, options: { transports: ["poll"], from: "e1" } },
    "every answer is JSON of another kind": { answer: () => Response.json({ hello: 1 }), most: 60, options: { transports: ["poll"] } },
    "every answer is JSON null": { answer: () => Response.json(null), most: 60, options: { transports: ["poll"] } },
    "every WebSocket is refused": { answer: (a) => (a.kind === "ws" ? new Error("refused") : "open"), most: 80, options: { transports: ["ws"] } },
    "every stream ends at once": { answer: () => new Response("retry: 0\n\nid: c1\nevent: stream.cursor\ndata: {}\n\n", { headers: { "content-type": "text/event-stream" } }), most: 60 },
    "every stream is told to come back at once": {
      answer: () => new Response('retry: 0\nid: c1\nevent: stream.end\ndata: {"reason":"shutdown"}\n\n', { headers: { "content-type": "text/event-stream" } }),
      most: 600,
    },
    "every token is refused": { answer: () => new Response(null, { status: 401 }), most: 60, options: { token: () => String(Date.now()) } },
    "the network goes up and down": { answer: () => new TypeError("network error"), most: 600, each: () => here.page.window.dispatchEvent(new Event("online")) },
    "an open stream is woken without end": { answer: () => "open", most: 600, each: () => here.page.document.dispatchEvent(new Event("resume")) },
    "a page is hidden and shown without end": {
      answer: () => "open",
      most: 600,
      each: () => {
        here.page.window.dispatchEvent(new Event("pagehide"));
        here.page.window.dispatchEvent(new Event("pageshow"));
      },
    },
  };
  for (const [name, { answer, most, options, each }] of Object.entries(failures)) {
    test(name, async () => {
      const { net } = here;
      net.answer = answer;
      const stream = connect(EVENTS, { ...ALL, ...options });
      for (let i = 0; i < 3000; i++) {
        each?.();
        await pass(100); // five minutes in all
      }
      expect(net.attempts.length).toBeGreaterThan(2);
      expect(net.attempts.length).toBeLessThanOrEqual(most);
      expect(net.closest).toBeGreaterThanOrEqual(500);
      console.log(`${name}: ${net.attempts.length} requests in 300 s, at ${net.log.slice(0, 12).map((l) => l.replace(/ .*/, "")).join(", ")}, ... ms`);
      stream.close();
      const n = net.attempts.length;
      await pass(60_000);
      expect(net.attempts.length).toBe(n);
      expect(vi.getTimerCount()).toBe(0);
    });
  }
});
