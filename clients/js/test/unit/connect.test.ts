import { describe, expect, test, vi } from "vitest";
import { connect, type Options, type Problem, type Status } from "../../src/crier.js";
import { pass, useNet } from "./net.js";

const here = useNet();
const EVENTS = "https://app.test/events";
const BOTH = { ws: "https://app.test/ws" };
const ALL = { ...BOTH, poll: "https://app.test/poll" };

/** A stream that notes what it is told. */
function open(options: Options = {}) {
  const stream = connect(EVENTS, options);
  const heard: unknown[] = [];
  const statuses: Status[] = [];
  const problems: Problem[] = [];
  stream.on("chat.posted", (e) => heard.push([e.id, e.data]));
  stream.onGap((reason) => heard.push(`gap ${reason}`));
  stream.onEnd((reason) => heard.push(`end ${reason}`));
  stream.onFilter((f) => heard.push(f));
  stream.onUnknown((e) => heard.push(`unknown ${e.type}`));
  stream.onStatus((s) => statuses.push(s));
  stream.onError((p) => problems.push(p));
  return { stream, heard, statuses, problems };
}

describe("resuming", () => {
  test("every connection starts at the last id, whatever brought it", async () => {
    const { net } = here;
    const { stream, heard } = open({ from: "page" });
    await pass(0);
    expect(net.last.attempt.url.search).toBe("?last_event_id=page");
    net.last.send("e1", "chat.posted", 1);
    net.last.send("e2", "presence.joined", 1);
    await pass(0);
    expect(stream.cursor).toBe("e2");
    net.last.send("c3", "stream.cursor", {});
    net.last.close();
    await pass(6000);
    expect(net.last.attempt.url.search).toBe("?last_event_id=c3");
    net.last.send("g4", "stream.gap", { reason: "evicted" });
    net.last.send("e5", "chat.posted", 5);
    await pass(0);
    expect(heard).toEqual([["e1", 1], "unknown presence.joined", "gap evicted", ["e5", 5]]);
    expect(stream.cursor).toBe("e5");
  });

  test("an ephemeral event moves no cursor", async () => {
    const { net } = here;
    for (const options of [{}, { ...BOTH, transports: ["ws" as const] }]) {
      const { stream, heard } = open(options);
      await pass(0);
      net.last.send("e1", "chat.posted", 1);
      net.last.send("", "chat.posted", "typing");
      await pass(0);
      expect(heard).toEqual([["e1", 1], ["", "typing"]]);
      expect(stream.cursor).toBe("e1");
      stream.close();
    }
  });

  test("half a frame at the end is dropped, and comes again", async () => {
    const { net } = here;
    const { heard } = open();
    await pass(0);
    net.last.raw("id: e1\nevent: chat.posted\ndata: 1\n\nid: e2\nevent: chat.posted\ndata: 2\n");
    net.last.close();
    await pass(6000);
    expect(heard).toEqual([["e1", 1]]);
    expect(net.last.attempt.url.search).toBe("?last_event_id=e1");
  });

  test("nothing is accepted from a connection that was replaced", async () => {
    const { net } = here;
    const { stream, heard } = open({ ...BOTH, transports: ["ws"] });
    await pass(0);
    const old = net.last;
    old.send("e1", "chat.posted", 1);
    stream.pause();
    old.send("e2", "chat.posted", 2);
    await pass(1000);
    stream.resume();
    await pass(0);
    old.send("e2", "chat.posted", 2);
    old.close();
    net.last.send("e2", "chat.posted", 2);
    await pass(10_000);
    expect(heard).toEqual([["e1", 1], ["e2", 2]]);
    expect(net.attempts.length).toBe(2);
  });

  test("a handler that closes the stream is the last one to hear", async () => {
    const { net } = here;
    const { stream, heard } = open();
    stream.on("chat.posted", () => stream.close());
    await pass(0);
    net.last.raw(["e1", "e2"].map((id) => `id: ${id}\nevent: chat.posted\ndata: 1\n\n`).join(""));
    await pass(60_000);
    expect(heard).toEqual([["e1", 1]]);
    expect(stream.cursor).toBe("e1");
    expect(net.attempts.length).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("an exception in a handler disturbs nobody", async () => {
    const { net } = here;
    const reported = vi.fn();
    vi.stubGlobal("reportError", reported);
    const stream = connect(EVENTS);
    const heard: unknown[] = [];
    stream.on("chat.posted", () => {
      throw new Error("a bug");
    });
    stream.on("chat.posted", (e) => heard.push(e.data));
    await pass(0);
    net.last.send("e1", "chat.posted", 1);
    net.last.send("e2", "chat.posted", 2);
    await pass(0);
    expect(heard).toEqual([1, 2]);
    expect(reported).toHaveBeenCalledTimes(2);
  });
});

describe("reconnecting", () => {
  test("after the server's retry, with jitter", async () => {
    const { net } = here;
    for (const [random, from, to] of [[0, 3000, 3000], [0.999, 5990, 6000]] as const) {
      vi.spyOn(Math, "random").mockReturnValue(random);
      const { stream, statuses } = open();
      await pass(10_000);
      const n = net.attempts.length;
      net.last.close();
      await pass(from - 1);
      expect(net.attempts.length).toBe(n);
      expect(statuses.at(-1)).toMatchObject({ state: "retrying", reason: "gone" });
      await pass(to - from + 2);
      expect(net.attempts.length).toBe(n + 1);
      expect(stream.status.state).toBe("open");
      stream.close();
    }
  });

  test("exactly when the server says in stream.end", async () => {
    const { net } = here;
    const { heard, stream } = open();
    await pass(0);
    net.last.raw('retry: 7654\nid: c9\nevent: stream.end\ndata: {"reason":"shutdown"}\n\n');
    await pass(7653);
    expect(net.attempts.length).toBe(1);
    await pass(3);
    expect(net.attempts.length).toBe(2);
    expect(heard).toEqual(["end shutdown"]);
    expect(net.last.attempt.url.search).toBe("?last_event_id=c9");
    expect(stream.status.state).toBe("open");
  });

  test("the wait in stream.end is not the one for later failures", async () => {
    const { net } = here;
    vi.spyOn(Math, "random").mockReturnValue(0);
    open();
    await pass(0);
    net.last.raw('retry: 40000\nid: c9\nevent: stream.end\ndata: {"reason":"overloaded"}\n\n');
    await pass(40_002);
    expect(net.attempts.length).toBe(2);
    await pass(10_000);
    net.last.close();
    await pass(3002);
    expect(net.attempts.length).toBe(3);
  });

  test("as the last retry line said, also without an event", async () => {
    const { net } = here;
    vi.spyOn(Math, "random").mockReturnValue(0);
    net.answer = () => new Response("retry: 7000\n\n", { headers: { "content-type": "Text/Event-Stream; charset=utf-8" } }); // nginx, in the place of a server that is away
    const { stream, problems } = open();
    await pass(6999);
    expect(net.attempts.length).toBe(1);
    net.answer = () => "open";
    await pass(3);
    expect(stream.status.state).toBe("open");
    expect(problems).toEqual([]);
    net.last.raw("retry: 9000\n\n");
    net.last.close();
    await pass(8999);
    expect(net.attempts.length).toBe(2);
    await pass(3);
    expect(net.attempts.length).toBe(3);
  });

  test("a wait beyond all reason is cut to an hour, and a short one to 500 ms", async () => {
    const { net } = here;
    const { stream } = open();
    await pass(600);
    net.last.raw('retry: 99999999999999\nid: c9\nevent: stream.end\ndata: {"reason":"shutdown"}\n\n');
    await pass(1000);
    expect((stream.status.retryAt as number) - Date.now()).toBeLessThan(3_600_000);
    expect(net.attempts.length).toBe(1);
    await pass(3_600_000);
    expect(net.attempts.length).toBe(2);
    net.last.raw('retry: 0\nid: c9\nevent: stream.end\ndata: {"reason":"shutdown"}\n\n');
    await pass(10_000);
    expect(net.attempts.length).toBe(3);
    expect(net.closest).toBeGreaterThanOrEqual(500);
  });

  test("at once when the network is back", async () => {
    const { net, page } = here;
    vi.spyOn(Math, "random").mockReturnValue(0.999); // the longest waits
    const { stream } = open();
    await pass(10_000);
    net.answer = () => new TypeError("network error");
    net.last.close();
    await pass(60_000);
    const n = net.attempts.length;
    net.answer = () => "open";
    await pass(600);
    expect(stream.status.state).toBe("retrying");
    page.window.dispatchEvent(new Event("online"));
    await pass(0);
    expect(net.attempts.length).toBe(n + 1);
    expect(stream.status.state).toBe("open");
  });

  test("at once when the network is back while an attempt hangs in the old one", async () => {
    const { net, page } = here;
    const { stream } = open();
    await pass(10_000);
    net.answer = () => "hang";
    net.last.close();
    while (stream.status.state !== "connecting") await pass(100);
    await pass(500); // no more than one attempt in this time
    const n = net.attempts.length;
    net.answer = () => "open";
    page.window.dispatchEvent(new Event("online"));
    await pass(0);
    expect(net.attempts.length).toBe(n + 1);
    expect(stream.status.state).toBe("open");
  });

  test("soon again when the network is back, but not quite", async () => {
    const { net, page } = here;
    vi.spyOn(Math, "random").mockReturnValue(0.999); // the longest waits
    const { stream } = open();
    await pass(10_000);
    net.answer = () => new TypeError("network error");
    net.last.close();
    await pass(120_000); // the waits have grown
    page.window.dispatchEvent(new Event("online"));
    await pass(0);
    expect(stream.status.state).toBe("retrying");
    net.answer = () => "open";
    await pass(6000);
    expect(stream.status.state).toBe("open");
  });

  test("at once when the network has changed under an open stream", async () => {
    const { net, page } = here;
    open();
    await pass(10_000);
    page.window.dispatchEvent(new Event("online"));
    await pass(0);
    expect(net.attempts.length).toBe(2);
    expect(net.attempts[0]?.closed).toBe(true);
  });

  test("a network that is back does not shorten a wait that the server has asked for", async () => {
    const { net, page } = here;
    open();
    await pass(600);
    net.last.raw('retry: 40000\nid: c9\nevent: stream.end\ndata: {"reason":"overloaded"}\n\n');
    await pass(600);
    page.window.dispatchEvent(new Event("online"));
    await pass(1000);
    expect(net.attempts.length).toBe(1);
  });

  test("a stream that is silent for 1.5 heartbeats is dead", async () => {
    const { net } = here;
    const { statuses } = open({ heartbeat: 10_000 });
    await pass(0);
    for (let i = 0; i < 5; i++) {
      await pass(14_000);
      net.last.raw(": a comment is a sign of life\n\n");
    }
    await pass(14_990);
    expect(net.attempts.length).toBe(1);
    await pass(2000);
    expect(net.attempts.length).toBe(2);
    expect(statuses.map((s) => s.reason)).toContain("silent");
  });

  test("at once when a machine wakes, though its timers stood still", async () => {
    const { net } = here;
    open();
    await pass(5000);
    vi.setSystemTime(Date.now() + 3_600_000); // the wall clock went on, timers and the monotonic clock did not
    await pass(2001);
    expect(net.attempts.length).toBe(2);
  });

  test("at once when a page is thawed or shown, by the clock", async () => {
    const { net, page } = here;
    const { stream } = open();
    await pass(5000);
    vi.setSystemTime(Date.now() + 60_000);
    page.document.dispatchEvent(new Event("visibilitychange"));
    await pass(0);
    expect(net.attempts.length).toBe(2);
    page.document.dispatchEvent(new Event("visibilitychange"));
    await pass(1000);
    expect(net.attempts.length).toBe(2); // nothing was wrong with it
    page.document.dispatchEvent(new Event("resume"));
    await pass(0);
    expect(net.attempts.length).toBe(3);
    expect(stream.status.state).toBe("open");
  });

  test("a page that is left for the back button holds no connection", async () => {
    const { net, page } = here;
    const { stream } = open();
    await pass(1000);
    page.window.dispatchEvent(new Event("pagehide"));
    await pass(1000);
    expect(net.attempts[0]?.closed).toBe(true);
    expect(net.attempts.length).toBe(1);
    page.window.dispatchEvent(new Event("pageshow"));
    await pass(0);
    expect(net.attempts.length).toBe(2);
    expect(stream.status.state).toBe("open");
  });

  test("a clock that jumps costs one connection at most", async () => {
    const { net } = here;
    open();
    await pass(5000);
    vi.setSystemTime(Date.now() - 86_400_000);
    await pass(30_000);
    expect(net.attempts.length).toBe(1);
    await pass(10_000); // silence is noticed all the same
    expect(net.attempts.length).toBe(2);
    vi.setSystemTime(Date.now() + 86_400_000);
    await pass(10_000);
    expect(net.attempts.length).toBe(3);
    net.answer = () => new TypeError("network error");
    net.last.close();
    await pass(0);
    vi.setSystemTime(Date.now() - 86_400_000); // while waiting for the next attempt
    await pass(6000);
    expect(net.attempts.length).toBeGreaterThan(3);
  });
});

describe("being refused", () => {
  for (const [status, reason] of [[401, "unauthenticated"], [403, "forbidden"], [204, "unauthenticated"]] as const) {
    for (const transport of ["sse", "ws", "poll"] as const) {
      test(`${status} over ${transport} ends the stream for good`, async () => {
        const { net } = here;
        net.answer = (a) => (a.kind === "fetch" ? new Response(null, { status }) : new Error("refused"));
        const { stream } = open({ ...ALL, transports: [transport] });
        const loop = (async () => {
          for await (const _ of stream);
        })();
        loop.catch(() => {});
        await pass(600_000);
        expect(stream.status).toMatchObject({ state: "ended", reason });
        expect(net.attempts.length).toBe(transport === "ws" ? 2 : 1); // a WebSocket does not see why
        await expect(loop).rejects.toThrow(reason);
        expect(vi.getTimerCount()).toBe(0);
        stream.resume();
        await pass(60_000);
        expect(stream.status.state).toBe("ended");
      });
    }
  }

  for (const reason of ["revoked", "expired"]) {
    test(`the end of a session (${reason}) ends the stream for good`, async () => {
      const { net } = here;
      const { stream, heard } = open();
      await pass(0);
      net.last.send("c1", "stream.end", { reason });
      await pass(60_000);
      expect(stream.status).toMatchObject({ state: "ended", reason });
      expect(heard).toEqual([`end ${reason}`]);
      expect(net.attempts.length).toBe(1);
    });
  }

  test("a close code ends it, too, if the server's last words were lost", async () => {
    const { net } = here;
    const { stream } = open({ ...BOTH, transports: ["ws"] });
    await pass(0);
    net.last.close(1008, "revoked");
    await pass(60_000);
    expect(stream.status).toMatchObject({ state: "ended", reason: "revoked" });
  });

  test("a new token goes on", async () => {
    const { net } = here;
    let valid = "t1";
    const token = vi.fn(async (refused?: string) => (refused ? valid : "t1"));
    net.answer = (a) => (a.headers.get("authorization") === `Bearer ${valid}` ? "open" : new Response(null, { status: 401 }));
    const { stream, heard } = open({ token });
    await pass(10_000);
    net.last.send("e1", "chat.posted", 1);
    await pass(0);
    valid = "t2";
    net.last.send("c2", "stream.end", { reason: "expired", retry: 3000 });
    await pass(1000);
    expect(stream.status.state).toBe("open");
    expect(token.mock.calls).toEqual([[undefined], ["t1"]]);
    expect(net.last.attempt.url.search).toBe("?last_event_id=c2");
    net.last.send("e3", "chat.posted", 3);
    await pass(0);
    expect(heard).toEqual([["e1", 1], "end expired", ["e3", 3]]);
  });

  test("the same token, or none, ends the stream", async () => {
    const { net } = here;
    net.answer = () => new Response(null, { status: 401 });
    for (const again of ["t1", null, undefined]) {
      const { stream } = open({ token: async (refused?: string) => (refused ? again : "t1") });
      await pass(10_000);
      expect(stream.status).toMatchObject({ state: "ended", reason: "unauthenticated" });
    }
    expect(net.attempts.length).toBe(3);
  });

  test("a token that cannot be had is tried for again", async () => {
    const { net } = here;
    let up = false;
    const token = vi.fn(async () => {
      if (!up) throw new Error("the login server is away");
      return "t1";
    });
    const { stream, problems } = open({ token });
    await pass(60_000);
    expect(net.attempts.length).toBe(0);
    expect(token.mock.calls.length).toBeGreaterThan(3);
    expect(token.mock.calls.length).toBeLessThan(20);
    expect(problems[0]).toMatchObject({ kind: "token", message: "Error: the login server is away" });
    up = true;
    await pass(20_000);
    expect(stream.status.state).toBe("open");
  });

  test("a token that takes its time is waited for", async () => {
    const { net } = here;
    const { stream } = open({ token: () => new Promise((resolve) => setTimeout(resolve, 120_000, "t1")) });
    await pass(119_000);
    expect(stream.status.state).toBe("connecting");
    expect(net.attempts.length).toBe(0);
    await pass(2000);
    expect(stream.status.state).toBe("open");
  });

  test("where no header can be sent, the token is in the query", async () => {
    const { net } = here;
    open({ ...BOTH, transports: ["ws"], token: () => "t1" });
    await pass(0);
    expect(net.last.attempt.url.searchParams.get("access_token")).toBe("t1");
    expect(net.last.attempt.url.protocol).toBe("wss:");
  });
});

describe("WebSocket close codes", () => {
  for (const [code, least] of [[1000, 3000], [1001, 3000], [1006, 3000], [1011, 3000], [1012, 3000], [1008, 3000], [1009, 3000], [1013, 30_000]] as const) {
    test(`${code} comes back after ${least} ms or more`, async () => {
      const { net } = here;
      const { stream } = open({ ...BOTH, transports: ["ws"] });
      await pass(10_000);
      net.last.close(code);
      await pass(least - 1);
      expect(net.attempts.length).toBe(1);
      await pass(least + 2);
      expect(net.attempts.length).toBe(2);
      expect(stream.status.state).toBe("open");
    });
  }
});

describe("filters", () => {
  test("are in the query, and of the next connection", async () => {
    const { net } = here;
    const { stream, heard } = open({ categories: ["chat", "presence"], topics: ["room:1"] });
    await pass(10_000);
    expect(Object.fromEntries(net.last.attempt.url.searchParams)).toEqual({ categories: "chat,presence", topics: "room:1" });
    stream.filter({ topics: ["room:2"] });
    await pass(0);
    expect(net.attempts.length).toBe(2);
    expect(Object.fromEntries(net.last.attempt.url.searchParams)).toEqual({ last_event_id: "cursor-0", topics: "room:2" });
    expect(heard).toEqual([{ categories: undefined, topics: ["room:2"], ref: -1 }]);
  });

  test("a WebSocket is told", async () => {
    const { net } = here;
    const { stream, heard } = open({ ...BOTH, transports: ["ws"], categories: ["chat"] });
    await pass(1000);
    const { received } = net.last;
    stream.filter({ categories: ["chat", "presence"] });
    stream.filter({ categories: ["chat"], topics: ["room:1"] });
    stream.filter({ categories: ["chat"] });
    expect(received).toEqual([
      { categories: ["chat", "presence"], topics: [], ref: -1 },
      { categories: ["chat"], topics: ["room:1"], ref: -2 },
      { categories: ["chat"], topics: [], ref: -3 },
    ]);
    net.last.send("c1", "stream.filter", { categories: ["chat"], topics: [], ref: -3 });
    await pass(0);
    expect(heard).toEqual([{ categories: ["chat"], topics: [], ref: -3 }]);
    expect(stream.cursor).toBe("c1");
    stream.filter({}); // "all" is what no message can say
    await pass(1000);
    expect(net.attempts.length).toBe(2);
    stream.filter({ topics: ["room:1"] });
    expect(net.last.received).toEqual([{ topics: ["room:1"], ref: -5 }]);
  });

  test("a topic is followed until the position does not depend on it", async () => {
    const { net } = here;
    const event = "01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4";
    const position = "92ddfe94-25a5-85e2-8000-000000000001";
    const { stream, heard } = open({ topics: ["room:1"] });
    await pass(10_000);
    net.last.send(event, "chat.posted", 1); // perhaps of room:1
    await pass(0);
    net.answer = () => "stream";
    stream.filter({ topics: ["room:2"] });
    await pass(0);
    expect(Object.fromEntries(net.last.attempt.url.searchParams)).toEqual({ last_event_id: event, topics: "room:2,room:1" });
    net.last.send(position, "stream.cursor", {});
    await pass(1000);
    expect(Object.fromEntries(net.last.attempt.url.searchParams)).toEqual({ last_event_id: position, topics: "room:2" });
    expect(heard).toEqual([[event, 1]]);
    net.last.send(position, "stream.cursor", {});
    await pass(1000);
    expect(net.attempts.length).toBe(3);
    expect(heard.at(-1)).toEqual({ categories: undefined, topics: ["room:2"], ref: -1 });
  });

  test("a topic that is followed only for the position may be taken meanwhile", async () => {
    const { net } = here;
    const event = "01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4";
    const { stream, heard } = open({ topics: ["room:1"] });
    await pass(10_000);
    net.last.send(event, "chat.posted", 1);
    await pass(0);
    net.answer = ({ url }) => (url.searchParams.get("topics")?.includes("room:1") ? new Response("", { status: 403, headers: { "Crier-Forbidden-Topics": "room%3A1" } }) : "open");
    stream.filter({ topics: ["room:2"] });
    await pass(10_000);
    expect(stream.status.state).toBe("open");
    expect(Object.fromEntries(net.last.attempt.url.searchParams)).toEqual({ last_event_id: event, topics: "room:2" });
    expect(heard.at(-1)).toEqual({ categories: undefined, topics: ["room:2"], ref: -1 });
    stream.filter({ topics: ["room:1"] });
    await pass(10_000);
    expect(stream.status).toMatchObject({ state: "ended", reason: "forbidden" });
  });

  test("topics that were taken while it was away are given up", async () => {
    const { net } = here;
    const { stream, heard } = open({ topics: ["a", "b", "c d"] });
    await pass(10_000);
    net.answer = ({ url }) => {
      const gone = url.searchParams.get("topics")?.split(",").filter((topic) => topic !== "b") ?? [];
      return gone.length ? new Response("", { status: 403, headers: { "Crier-Forbidden-Topics": gone.map(encodeURIComponent).join() } }) : "open";
    };
    net.last.close();
    await pass(30_000);
    expect(stream.status.state).toBe("open");
    expect(Object.fromEntries(net.last.attempt.url.searchParams)).toEqual({ last_event_id: "cursor-0", topics: "b" });
    expect(heard).toEqual([{ categories: undefined, topics: ["b"] }]);
    stream.filter({ topics: ["b", "never had"] });
    await pass(10_000);
    expect(stream.status).toMatchObject({ state: "ended", reason: "forbidden" });
  });

  test("a header that names no topics is no reason to stand still", async () => {
    const { net } = here;
    const { stream } = open({ topics: ["a"] });
    await pass(10_000);
    net.answer = () => new Response("", { status: 403, headers: { "Crier-Forbidden-Topics": "%" } });
    net.last.close();
    await pass(60_000);
    expect(stream.status).toMatchObject({ state: "retrying", reason: "gone" });
    expect(net.attempts.length).toBeGreaterThan(3);
    expect(net.closest).toBeGreaterThanOrEqual(500);
  });

  // What a WebSocket's next connection asks for, after what the server has said on this one.
  const afterwards = async (topics: string[], said: (stream: ReturnType<typeof open>["stream"]) => void) => {
    const { net } = here;
    const opened = open({ ...BOTH, transports: ["ws"], topics });
    await pass(10_000);
    const { received, close } = net.last;
    said(opened.stream);
    await pass(0);
    close();
    await pass(10_000);
    return { ...opened, received, topics: net.last.attempt.url.searchParams.get("topics") };
  };

  test("a topic is taken while the filter changes", async () => {
    const { heard, problems, received, topics } = await afterwards(["a", "b"], (stream) => {
      const { send } = here.net.last;
      stream.filter({ topics: ["a", "c"] });
      send("c1", "stream.filter", { categories: ["chat"], topics: ["b"] });
      send("", "stream.error", { error: "forbidden", ref: -1 });
      send("c2", "stream.filter", { categories: ["chat"], topics: ["c"], ref: -2 });
    });
    expect(received).toEqual([
      { topics: ["a", "c"], ref: -1 },
      { topics: ["c"], ref: -2 },
    ]);
    expect(heard).toEqual([
      { categories: ["chat"], topics: ["b"] },
      { categories: ["chat"], topics: ["c"], ref: -2 },
    ]);
    expect(problems).toEqual([]);
    expect(topics).toBe("c");
  });

  test("the answer to an earlier change takes nothing", async () => {
    const { received, topics } = await afterwards(["a", "b"], (stream) => {
      const { send } = here.net.last;
      stream.filter({ topics: ["a"] });
      stream.filter({ topics: ["b"] });
      send("c1", "stream.filter", { categories: ["chat"], topics: ["a"], ref: -1 });
      send("c2", "stream.filter", { categories: ["chat"], topics: ["b"], ref: -2 });
    });
    expect(received.length).toBe(2);
    expect(topics).toBe("b");
  });

  test("a change that is rejected changes nothing", async () => {
    const { heard, problems, topics } = await afterwards(["a", "b"], (stream) => {
      const { send } = here.net.last;
      stream.filter({ topics: ["secret"] });
      send("", "stream.error", { error: "forbidden", ref: -1 });
      send("c1", "stream.filter", { categories: ["chat"], topics: ["b"] }); // and then one is taken
    });
    expect(heard).toEqual([{ categories: ["chat"], topics: ["b"] }]);
    expect(problems).toEqual([{ kind: "rejected", message: "forbidden", ref: -1 }]);
    expect(topics).toBe("b");
  });

  test("a topic that the server has taken is not asked for again, one that it has added is", async () => {
    const { net } = here;
    open({ topics: ["room:1", "room:2"] });
    await pass(10_000);
    net.last.send("c1", "stream.filter", { categories: ["chat"], topics: ["room:1", "room:3"] });
    await pass(0);
    net.last.close();
    await pass(10_000);
    expect(Object.fromEntries(net.last.attempt.url.searchParams)).toEqual({ last_event_id: "c1", topics: "room:1,room:3" });
  });

  test("many changes in a row are one connection", async () => {
    const { net } = here;
    const { stream, heard } = open();
    await pass(10_000);
    for (let i = 0; i < 50; i++) stream.filter({ topics: [`room:${i}`] });
    await pass(1000);
    expect(net.attempts.length).toBeLessThanOrEqual(3);
    expect(heard.at(-1)).toEqual({ categories: undefined, topics: ["room:49"], ref: -50 });
    expect(net.closest).toBeGreaterThanOrEqual(500);
  });

  test("a category that the server does not know is told", async () => {
    const { net } = here;
    net.answer = () => Response.json({ error: "unknown category; valid categories are: chat" }, { status: 400 });
    const { problems } = open({ categories: ["nope"] });
    await pass(0);
    expect(problems).toMatchObject([{ kind: "refused", status: 400, message: expect.stringContaining("valid categories are: chat") }]);
  });

  test("a message that the server does not understand is told", async () => {
    const { net } = here;
    const { stream, problems } = open({ ...BOTH, transports: ["ws"] });
    await pass(0);
    expect(stream.send({ what: 1, ref: 7 })).toBe(true);
    net.last.send("", "stream.error", { error: "not understood", ref: 7 });
    await pass(0);
    expect(problems).toEqual([{ kind: "rejected", message: "not understood", ref: 7 }]);
    net.last.close();
    expect(stream.send({ what: 1 })).toBe(false);
  });
});

describe("loops", () => {
  test("yield every event, and end with the signal", async () => {
    const { net } = here;
    const abort = new AbortController();
    const stream = connect(EVENTS, { signal: abort.signal });
    const heard: unknown[] = [];
    const loop = (async () => {
      for await (const e of stream) heard.push([e.id, e.type, e.data]);
    })();
    await pass(0);
    net.last.send("e1", "chat.posted", 1);
    net.last.send("e2", "a.b", { x: 1 });
    await pass(0);
    abort.abort();
    await loop;
    expect(heard).toEqual([["e1", "chat.posted", 1], ["e2", "a.b", { x: 1 }]]);
    expect(stream.status.state).toBe("closed");
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a signal that is over opens nothing", async () => {
    const stream = connect(EVENTS, { signal: AbortSignal.abort() });
    await pass(1000);
    expect(here.net.attempts).toEqual([]);
    for await (const _ of stream) throw new Error("an event");
  });

  test("a slow loop holds the stream up, and loses nothing", async () => {
    const { net } = here;
    const stream = connect(EVENTS);
    const heard: unknown[] = [];
    let go = () => {};
    const loop = (async () => {
      for await (const e of stream) {
        heard.push(e.data);
        if (heard.length === 1) await new Promise<void>((resolve) => (go = resolve));
        if (heard.length === 1200) return;
      }
    })();
    await pass(600);
    const send = (from: number) => {
      for (let i = from; i <= 1200; i++) net.last.send(`e${i}`, "n", i);
    };
    send(1);
    await pass(1000);
    expect(stream.status.state).toBe("paused");
    expect(net.attempts[0]?.closed).toBe(true);
    go();
    await pass(0);
    expect(net.attempts.length).toBe(2);
    const from = Number(net.last.attempt.url.searchParams.get("last_event_id")?.slice(1));
    send(from + 1);
    await pass(0);
    await loop;
    expect(heard).toEqual(Array.from({ length: 1200 }, (_, i) => i + 1));
  });
});

describe("bad input", () => {
  test("data that is no JSON is told, and skipped", async () => {
    const { net } = here;
    const { stream, heard, problems } = open();
    await pass(0);
    net.last.raw("id: e1\nevent: chat.posted\ndata: {oops\n\nid: e2\nevent: chat.posted\ndata: 2\n\n");
    await pass(0);
    expect(heard).toEqual([["e2", 2]]);
    expect(problems).toMatchObject([{ kind: "bad-frame", message: expect.stringContaining("e1") }]);
    expect(stream.cursor).toBe("e2");
  });

  test("text is handed out as it is", async () => {
    const { net } = here;
    const { stream, heard, problems } = open({ textTypes: ["page.fragment"] });
    stream.on("page.fragment", (e) => heard.push([e.id, e.data]));
    await pass(0);
    net.last.raw("id: e1\nevent: page.fragment\ndata: <p>\ndata: 1</p>\n\nid: e2\nevent: page.fragment\ndata: 7\n\nid: e3\nevent: chat.posted\ndata: 7\n\n");
    await pass(0);
    expect(heard).toEqual([["e1", "<p>\n1</p>"], ["e2", "7"], ["e3", 7]]);
    expect(problems).toEqual([]);
  });

  test("a WebSocket message that is no event is told, and skipped", async () => {
    const { net } = here;
    const { heard, problems } = open({ ...BOTH, transports: ["ws"] });
    await pass(0);
    for (const raw of ["{oops", "null", "7", '{"id":1}', '{"event":5,"data":1}', "[]"]) net.last.raw(raw);
    net.last.raw('{"id":7,"event":"chat.posted","data":1}');
    await pass(0);
    expect(problems.length).toBe(6);
    expect(heard).toEqual([["", 1]]);
  });

  test("odd messages of the stream's own are survived", async () => {
    const { net } = here;
    const { heard, stream } = open();
    await pass(0);
    for (const data of [null, 7, "x", [], { retry: "soon" }, { retry: -5 }]) net.last.send("c1", "stream.cursor", data);
    net.last.send("c2", "stream.gap", null);
    net.last.send("c3", "stream.news", { what: "from the future" });
    net.last.send("c4", "stream.end", null);
    await pass(0);
    expect(heard).toEqual(["gap unknown", "end undefined"]);
    await pass(60_000);
    expect(stream.status.state).toBe("open");
  });

  test("types that the application does not know go to onUnknown", async () => {
    const { net } = here;
    const { stream, heard } = open({ types: ["chat.typing"] });
    await pass(0);
    net.last.send("e1", "chat.typing", 1); // known, though nobody listens
    net.last.send("e2", "chat.deleted", 2);
    stream.on("chat.deleted", () => {});
    net.last.send("e3", "chat.deleted", 3);
    await pass(0);
    // The second is handed out after the handler was registered.
    expect(heard.filter((h) => String(h).startsWith("unknown")).length).toBeLessThanOrEqual(1);
    net.last.send("e4", "chat.edited", 4);
    await pass(0);
    expect(heard.at(-1)).toBe("unknown chat.edited");
  });

  test("a line without end is cut off", async () => {
    const { net } = here;
    const { problems, stream } = open();
    await pass(0);
    for (let i = 0; i < 17; i++) net.last.raw("x".repeat(1 << 20));
    await pass(0);
    expect(problems).toMatchObject([{ kind: "too-big" }]);
    expect(stream.status.state).toBe("retrying");
  });

  test("options that cannot work", () => {
    expect(() => connect(EVENTS, { transports: [] })).toThrow(TypeError);
    expect(() => connect(EVENTS, { transports: ["ws"] })).toThrow(TypeError);
  });

  test("a URL that is none is told", async () => {
    const stream = connect("https://", {});
    const problems: Problem[] = [];
    stream.onError((p) => problems.push(p));
    await pass(60_000);
    expect(problems[0]?.message).toContain("URL");
    expect(problems.length).toBeLessThan(20);
  });
});
