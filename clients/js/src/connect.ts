// The stream: one connection at a time, and what happens between two of them.
//
// A stream is exact because of one rule: every connection starts at the cursor,
// the cursor moves with each message, and only the messages of the active
// connection are accepted. So a switch of transport, a change of filter, sleep
// and a broken line are the same to it.

import { now, since, type Timestamp } from "./clock.js";
import { recall, remember } from "./memory.js";
import { outlet } from "./outlet.js";
import { type Connection, type Failure, isFinal, type Request, refusal, type Sink } from "./transport.js";
import { opening, usable } from "./transports.js";
import type { EventMap, Filter, Options, Problem, Status, Stream, TransportName } from "./types.js";

// All in milliseconds.
const BETWEEN_ATTEMPTS = 500; // at least, whatever happens
const LONGEST_BACKOFF = 20_000;
const LONGEST_WAIT = 3_600_000; // that a server may ask for
const OPENING = 5_000; // a transport that has shown nothing by then does not get through
const STABLE = 5_000; // a connection that lived longer is no failure
const TICK = 2_000; // how often the clocks are read: timers stop while a machine sleeps

/** Whether a position is an event's id, a UUID of version 7, and not a cursor. */
const isEvent = (id: string) => id[14] === "7";

/**
 * Opens a stream of events. It connects soon after the present task has ended,
 * so handlers that are registered at once miss nothing. It throws a TypeError
 * for options that cannot work.
 */
export function connect<E extends EventMap<E> = EventMap>(url: string | URL, options: Options = {}): Stream<E> {
  const { token, heartbeat = 25_000, signal, types = [] } = options;
  const endpoints = { sse: url, ws: options.ws, poll: options.poll };
  const transports = usable(options);
  const silence = heartbeat * 1.5;
  const key = `crier:${url}`;

  let cursor = options.from ?? "";
  let want = { categories: options.categories, topics: options.topics ?? [] };
  let had: typeof want = { categories: undefined, topics: [] }; // the filter in effect
  let change: typeof want | undefined; // the filter that was asked for and is not in effect yet
  let changeRef = 0; // the ref of the last change; it is negative, so that it is none of the application's
  // Topics that are still followed, though no longer wanted: a server finds an event's
  // id only in what a stream follows. They go once the position is a cursor.
  let dropped: string[] = [];

  let phase: "stopped" | "waiting" | "active" = "stopped";
  let active = {}; // names the connection or attempt whose messages are accepted
  let connection: Connection | undefined;
  let opened: Timestamp | undefined; // when it brought its first message
  let heard: Timestamp; // when it last did; while waiting, when that began
  let limit = 0; // how long it may be silent; while waiting, how long that takes
  let demanded = false; // the server has asked for the wait
  let attempted = -BETWEEN_ATTEMPTS; // when the last request was made, by the monotonic clock
  let timer: ReturnType<typeof setTimeout>;
  let page: AbortController | undefined; // removes the listeners on the page

  let failures = 0; // in a row
  let retry = 0; // the wait that the server asks of everybody
  let told: number | undefined; // the wait it has named on this connection
  // The one that got through lately comes first, and then the order of preference.
  const preferred = () => [...new Set([recall(key) as TransportName, ...transports])].filter((name) => transports.includes(name));
  let order = preferred();
  let rotated = 0; // how often the transport was changed since one got through
  const transport = () => order[rotated % order.length] as TransportName;

  let bearer: string | null | undefined;
  let refused: { token: string; reason: string } | undefined;

  let status = { state: options.paused ? "paused" : "connecting", transport: transport() } as Status;

  // ---- handing out

  const { listen, emit, names, deliver, wake: wakeLoops, iterate } = outlet(
    types,
    () => status,
    () => phase !== "stopped" && (stop("paused"), true),
    () => start(),
  );

  const problem = (p: Problem) => emit(":error", p);
  const set = (state: Status["state"], more?: Partial<Status>) => {
    status = { state, transport: transport(), ...more };
    emit(":status", status);
  };

  const receive = (id: string, event: string, data: unknown) => {
    const mine = active;
    const { retry: ms, reason, error, ref, topics } = Object(event.startsWith("stream.") && data);
    if (ms > 0) told = ms;
    if (event !== "stream.end") arrived();
    if (mine !== active) return; // a handler has decided otherwise
    if (id) cursor = id;
    const answers = ref === changeRef;
    if (event === "stream.cursor") {
      retry = told ?? retry;
      emit(":cursor", cursor);
    } else if (event === "stream.gap") emit(":gap", reason ?? "unknown");
    else if (event === "stream.error") {
      if (change && answers) {
        if (want !== change) return filter(want); // without the topics that were taken meanwhile
        want = had;
        dropped = [];
        change = undefined;
      }
      problem({ kind: "rejected", message: error, ref });
    } else if (event === "stream.filter") {
      if (answers) {
        dropped = [];
        change = undefined;
      }
      // Without a ref, the server has added or taken topics. Who asks for one that it
      // has taken is refused.
      const before = had.topics;
      had = { ...(change ? had : want), topics: topics ?? [] };
      if (!change) want = had;
      else if (!ref) want = { ...want, topics: want.topics.filter((t) => had.topics.includes(t) || !before.includes(t)) };
      emit(":filter", data);
    } else if (event === "stream.end") {
      emit(":end", reason);
      if (mine === active) lost({ reason, after: told });
    } else if (!event.startsWith("stream.")) deliver({ id, type: event, data });
    if (dropped.length && mine === active && !isEvent(cursor)) {
      dropped = [];
      reopen();
    }
  };

  // arrived notes that the active connection is alive.
  const arrived = () => {
    heard = now();
    if (opened) return;
    opened = heard;
    limit = silence;
    if (rotated) {
      remember(key, transport());
      order = preferred();
      rotated = 0;
    }
    refused = undefined;
    show();
  };

  // show tells that the stream is open, or seems to be.
  const show = () => {
    if (status.state !== "open") set("open");
    had = want;
    if (change && !dropped.length) {
      change = undefined;
      emit(":filter", { ...want, ref: changeRef });
    }
  };

  // ---- connecting

  // check is the one that acts when time has passed: it is called by a timer, and
  // by whatever wakes a page. It trusts clocks only, since timers stop and stretch.
  const check = (wake?: boolean) => {
    clearTimeout(timer);
    if (phase === "stopped") return;
    if (wake && !opened && !demanded) {
      // What failed in the old network counts no longer, nor does an attempt that hangs in it.
      failures = 0;
      return reopen();
    }
    let left = limit - since(heard);
    if (phase === "waiting") {
      left = Math.max(left, attempted + BETWEEN_ATTEMPTS - performance.now());
      if (left <= 0) {
        attempt();
        return;
      }
    } else if (wake || left < 0) {
      // Woken: the network may be another, or the page was frozen.
      lost(!opened ? { blocked: true } : wake ? { after: 0 } : { reason: "silent", atOnce: true });
      return;
    }
    timer = setTimeout(check, Math.min(left + 1, TICK));
  };

  const drop = () => {
    active = {};
    opened = undefined;
    connection?.close();
    connection = undefined;
  };

  // begin makes way for a new connection or attempt. It returns a function that
  // says whether this is still the active one.
  const begin = () => {
    drop();
    phase = "active";
    const mine = active;
    heard = now();
    attempted = performance.now();
    return () => mine === active;
  };

  const wait = (ms: number, more?: Partial<Status>) => {
    phase = "waiting";
    heard = now();
    limit = ms;
    set("retrying", { retryAt: Date.now() + ms, ...more });
    if (phase === "waiting") check();
  };

  const reopen = () => {
    drop();
    wait(0);
  };

  const backoff = (n: number) => {
    const least = Math.min(Math.max(retry, BETWEEN_ATTEMPTS), LONGEST_WAIT);
    return least + Math.random() * Math.max(0, Math.min(LONGEST_BACKOFF, least * 2 ** (n + 1)) - least);
  };

  const attempt = async (): Promise<void> => {
    const current = begin();
    demanded = false;
    limit = Infinity; // a token may take as long as it takes
    told = undefined;
    set("connecting");
    if (!current()) return;
    check();
    if (token) {
      try {
        bearer = await token(refused?.token);
      } catch (error) {
        if (current()) lost({ reason: "token", problem: { kind: "token", message: String(error) } });
        return;
      }
      if (!current()) return;
      if (refused && (!bearer || bearer === refused.token)) return stop("ended", refused.reason);
      heard = now();
    }
    const name = transport();
    const guard =
      <A extends unknown[]>(f: (...args: A) => void) =>
      (...args: A) => {
        if (current()) f(...args);
      };
    const sink: Sink = {
      message: guard(receive),
      text: guard((id, event, text) => {
        let data: unknown;
        try {
          data = options.textTypes?.includes(event) ? text : JSON.parse(text);
        } catch {
          problem({ kind: "bad-frame", message: `${event} ${id} is not JSON` });
          event = "stream.cursor"; // all that is left of it
        }
        receive(id, event, data);
      }),
      alive: guard(() => void (opened && arrived())),
      held: guard(show),
      retry: guard((ms) => (told = ms)),
      problem: guard(problem),
      lost: guard(lost),
    };
    // An answer to a poll may take a whole heartbeat.
    limit = name === "poll" ? silence : Math.min(OPENING * 2 ** Math.floor(rotated / order.length), silence);
    check();
    try {
      connection = opening[name](request(name), sink);
    } catch (error) {
      sink.lost({ blocked: true, problem: { kind: "refused", message: String(error) } });
    }
  };

  const request = (name: TransportName): Request => ({
    url: (withToken) => {
      const u = new URL(endpoints[name] as string, globalThis.location?.href);
      const query = { last_event_id: cursor, categories: want.categories?.join(), topics: [...want.topics, ...dropped].join(), access_token: withToken && bearer };
      for (const [field, value] of Object.entries(query)) if (value) u.searchParams.set(field, value);
      return u.href;
    },
    init: {
      cache: "no-store",
      credentials: options.credentials ?? "same-origin",
      headers: bearer ? { Authorization: `Bearer ${bearer}` } : {},
    },
    types: [...types, ...names()],
  });

  // lost decides what follows when a connection or an attempt is over.
  const lost = (f: Failure) => {
    if (opened) {
      if (since(opened) > STABLE) failures = 0;
      order = preferred();
    }
    if (f.after === undefined) retry = told ?? retry; // what stream.end says is for once
    drop();
    const n = failures++;
    const mine = active;
    if (f.problem) problem(f.problem);
    if (mine !== active || phase === "stopped") return; // a handler has decided otherwise
    if (f.opaque) {
      failures = n; // what the probe finds counts
      return void probe();
    }
    const { status: code = 0, topics } = f;
    const gone = topics?.split(",");
    const reason = f.reason ?? (code === 403 ? "forbidden" : isFinal(code) ? "unauthenticated" : f.blocked ? "blocked" : "gone");
    if (topics && gone?.every((topic) => [...had.topics, ...dropped].includes(topic))) {
      // It has followed them all before: they were taken while it was away.
      dropped = [];
      want = { ...want, topics: want.topics.filter((topic) => !gone.includes(topic)) };
      emit(":filter", want);
    } else if (isFinal(code) || reason === "revoked" || reason === "expired") {
      if (!token) return stop("ended", reason);
      refused = { token: bearer ?? "", reason };
      f = { atOnce: true };
    } else if (f.blocked) {
      f.atOnce = ++rotated < order.length;
      if (f.atOnce) failures = n;
    }
    demanded = f.after !== undefined;
    const ms = demanded ? Math.min(f.after as number, LONGEST_WAIT) : f.atOnce && (!n || f.blocked) ? 0 : backoff(n);
    wait(ms, { reason });
  };

  // probe asks the server without a stream, after a connection that failed
  // before it opened and whose transport hides why.
  const probe = async () => {
    const pause = attempted + BETWEEN_ATTEMPTS - performance.now();
    const current = begin();
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (!current()) return;
    attempted = performance.now();
    const { url, init } = request("sse");
    const ask = async () => refusal(await fetch(url(), { ...init, method: "HEAD", signal: AbortSignal.timeout(OPENING) }), "");
    const failure = await ask().catch(() => ({}));
    // The server is there and answers, so it is the transport that does not get through.
    if (current()) lost(failure ?? { blocked: true });
  };

  const stop = (state: Status["state"], reason?: string) => {
    phase = "stopped";
    page?.abort();
    clearTimeout(timer);
    drop();
    if (state !== "paused") signal?.removeEventListener("abort", close);
    if (status.state !== state) set(state, reason ? { reason } : {});
    wakeLoops();
  };
  const over = () => status.state === "ended" || status.state === "closed";

  const start = () => {
    if (over() || phase !== "stopped") return;
    phase = "waiting";
    heard = now();
    limit = 0;
    demanded = false;
    page = new AbortController();
    const on = (target: EventTarget | undefined, type: string, f: (e: Event) => void) => target?.addEventListener?.(type, f, { signal: (page as AbortController).signal });
    on(globalThis as unknown as EventTarget, "online", () => check(true));
    on(globalThis.document, "visibilitychange", () => check());
    on(globalThis.document, "resume", () => check(true));
    // A page with an open connection is not kept for the back button.
    on(globalThis as unknown as EventTarget, "pagehide", () => {
      demanded = false;
      drop();
      wait(LONGEST_WAIT);
    });
    on(globalThis as unknown as EventTarget, "pageshow", () => phase === "waiting" && check(true));
    queueMicrotask(check);
  };

  const filter = ({ categories, topics = [] }: Filter) => {
    const tell = opened && (categories || !want.categories); // a message cannot ask for all categories again
    dropped = isEvent(cursor) ? [...want.topics, ...dropped].filter((topic) => !topics.includes(topic)) : [];
    change = want = { categories, topics };
    changeRef--;
    if (phase === "active" && !(tell && connection?.send?.({ ...want, ref: changeRef }))) reopen();
  };

  const close = () => over() || stop("closed");
  signal?.addEventListener("abort", close);
  if (signal?.aborted) close();
  else if (!options.paused) start();

  return {
    on: (type, handler) => {
      const off = listen(type, handler as never);
      connection?.listen?.(type);
      return off;
    },
    onGap: (handler) => listen(":gap", handler),
    onFilter: (handler) => listen(":filter", handler),
    onEnd: (handler) => listen(":end", handler),
    onCursor: (handler) => listen(":cursor", handler),
    onStatus: (handler) => listen(":status", handler),
    onError: (handler) => listen(":error", handler),
    onUnknown: (handler) => listen(":unknown", handler),
    get status() {
      return status;
    },
    get cursor() {
      return cursor;
    },
    filter,
    send: (message) => !!opened && !!connection?.send?.(message),
    pause: () => over() || stop("paused"),
    resume: start,
    close,
    [Symbol.asyncIterator]: () => iterate<E>(),
  };
}
