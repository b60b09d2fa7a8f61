/**
 * One connection for all tabs. The tabs of a user elect a leader with Web Locks;
 * it has the connection, and passes on what arrives over a BroadcastChannel. When
 * the leader's tab is closed, crashes, is frozen or discarded, another tab goes on
 * from the position that all of them know.
 *
 * connect returns a stream as that of crier does. What is different:
 *
 * - The connection hears the union of what the tabs ask for, and the wire does not
 *   say why an event was sent. So a tab also receives events of categories and
 *   topics that only other tabs have asked for: look at the event's data.
 * - Of the options, those of the tab that leads count for the connection.
 * - send works over the leader's WebSocket; the server's answers reach every tab.
 *
 * Where the browser has no Web Locks (they need https or localhost) or there is no
 * BroadcastChannel, each tab has a connection of its own.
 */

import { connect as connectAlone } from "./crier.js";
import { outlet } from "./outlet.js";
import { type Cover, type Move, moved } from "./shared/cover.js";
import { lead } from "./shared/leader.js";
import { type Entry, Log } from "./shared/log.js";
import type { FromLeader, Message, ToLeader } from "./shared/messages.js";
import type { EventMap, Filter, Options, Status, Stream } from "./types.js";

export type * from "./types.js";

export interface SharedOptions extends Options {
  /**
   * Whom this page belongs to, such as the user's id. Only tabs with the same user
   * share a connection: after a logout and another login, old tabs may still be open.
   */
  user: string;
  /**
   * When the state that goes with from was asked for, by Date.now. With it, a tab
   * that joins others need not ask the server for what they have just received.
   * Default: when the page was, unless it came from a cache.
   */
  since?: number | undefined;
}

// In milliseconds.
const TICK = 1_000; // how often a leader says that it is there, and others look whether it has
const SILENT = 5_000; // a leader that has said nothing for so long is asked whether it is there
const ANSWER = 3_000; // and one that does not answer in this time is replaced
const CLOCKS = 1_000; // how far two clocks of one machine may differ

/** How many tabs may catch up over connections of their own at once, where these count among the browser's six. */
const CATCHING_UP = 3;

export function connect<E extends EventMap<E> = EventMap>(url: string | URL, options: SharedOptions): Stream<E> {
  const { locks } = globalThis.navigator ?? {};
  if (!locks || !globalThis.BroadcastChannel) return connectAlone<E>(url, options);

  const { signal, types = [] } = options;
  // Known once the tab takes part: on a server, a relative URL has no meaning.
  let address = "";
  let name = ""; // of the channel and of the lock of who leads
  const id = crypto.randomUUID();
  const log = new Log();
  let last = options.from ?? "";
  let since = last ? (options.since ?? pageAskedFor()) : undefined;
  let want: Filter = { categories: options.categories, topics: options.topics };
  let told = want; // what the leader was told last
  let changes = 0; // how often the application has changed the filter
  let cover: Cover | undefined;
  let status: Status = { state: options.paused ? "paused" : "connecting", transport: options.transports?.[0] ?? "sse" };
  if (last) log.begun = Date.now();

  let member: AbortController | undefined; // while this tab takes part
  let channel: BroadcastChannel;
  let leader: ReturnType<typeof lead> | undefined; // if this tab leads
  let epoch = ""; // of the leader that is listened to
  let welcomed = false; // by it
  let joined = false; // this tab has been up to date with the others
  let filtered = true; // the filter is in effect
  let heard = 0; // when it last said something; by performance.now
  let asked = 0; // when it was asked whether it is there; 0 if it need not answer
  let ticked = 0;
  // A stream of this tab's own, for what the others cannot tell it, and what they say meanwhile.
  let own: { stream: Stream; beats: number; end: () => void } | undefined;
  let pending: Entry[] = [];

  const { listen, emit, deliver, wake, iterate } = outlet(
    types,
    () => status,
    () => !!member && (leave("paused"), true),
    () => join(),
  );
  const set = (s: Status) => {
    if (s.state === status.state && s.transport === status.transport && s.reason === status.reason) return;
    status = s;
    emit(":status", s);
  };
  const tell = (m: ToLeader) => channel.postMessage(m);
  const hello = () => {
    welcomed = false;
    pending = [];
    told = want;
    tell({ to: "leader", what: "hello", tab: id, filter: want, last, joined, since });
  };

  // ---- what arrives

  const take = (entry: Entry) => {
    if (entry.id) {
      if (log.seen(entry.id)) return; // had it from an earlier leader, or from the server
      log.append(entry);
      last = entry.id;
    }
    since = undefined; // the position says it better now
    if (entry.gap) emit(":gap", entry.gap);
    else if (entry.type) deliver({ id: entry.id, type: entry.type, data: entry.data });
    else emit(":cursor", last);
  };

  const takeAll = (entries: Entry[]) => {
    for (const entry of entries) if (member) take(entry); // a handler may leave
  };

  const hear = (m: FromLeader) => {
    const answer = (m.what === "welcome" || m.what === "refused") && m.tab === id;
    if (m.what === "lead" || answer) epoch = m.epoch;
    if (m.epoch !== epoch) return;
    heard = performance.now();
    asked = 0;
    switch (m.what) {
      case "lead":
        hello();
        break;
      case "welcome":
        if (answer) onWelcome(m);
        break;
      case "entry":
        if (own) {
          if (welcomed) pending.push(m.entry);
        } else if (welcomed || (joined && !m.entry.id)) take(m.entry); // else the welcome will have it
        break;
      case "status":
        if (welcomed && !own) onStatus(m.status);
        break;
      case "cover":
        cover = m.cover;
        break;
      case "moved":
        onMoved(m);
        break;
      case "filtered":
        if (m.tab === id) onFiltered();
        break;
      case "refused":
        if (!answer) break;
        if (want !== told) hello(); // without what the server has taken meanwhile
        else catchUp(); // and stay there: merge only follows a welcome
        break;
      case "end":
        emit(":end", m.reason);
        break;
      case "problem":
        emit(":error", m.problem);
    }
  };

  const onWelcome = (m: Extract<FromLeader, { what: "welcome" }>) => {
    welcomed = true;
    cover = m.cover;
    if (m.entries || log.seen(m.head)) {
      const started = !last;
      joined = true;
      end();
      onFiltered();
      if (started) log.restart(m.head);
      last ||= m.head;
      takeAll(m.entries ?? []);
      if (member) onStatus(m.status);
    } else catchUp();
  };

  const onFiltered = () => {
    if (filtered) return;
    filtered = true;
    emit(":filter", { ...want, ref: -changes });
  };

  const onMoved = (move: Move) => {
    const before = JSON.stringify(want.topics ?? []);
    const after = moved(want, move);
    if (JSON.stringify(after.topics) === before) return;
    want = after;
    emit(":filter", want);
  };

  const onStatus = (s: Status) => {
    if (s.state === "ended") leave("ended", s.reason);
    else set(s);
  };

  // ---- catching up

  // catchUp asks the server for what the others cannot tell. Its stream and that of
  // the leader run side by side until this one has got as far as the other was
  // when it was opened: when it brings an event that the leader has brought too, or
  // when it beats, which it does when there is nothing more to bring.
  const catchUp = () => {
    if (own) {
      own.beats = 0;
      return;
    }
    const over = new AbortController();
    const mine = (own = { stream: undefined as unknown as Stream, beats: 0, end: () => over.abort() });
    const run = () =>
      new Promise<void>((done) => {
        if (own !== mine) return done();
        over.signal.addEventListener("abort", () => done());
        const transports = options.transports ?? (options.ws ? ["ws", "sse", "poll"] : undefined);
        const stream = (mine.stream = connectAlone(address, { ...options, ...want, transports, from: last, types: [], paused: false, signal: over.signal }));
        const on = (entry: Entry) => {
          if (own !== mine) return;
          take(entry);
          const at = entry.id && welcomed ? pending.findIndex((p) => p.id === entry.id) : -1;
          if (at >= 0) merge(pending.slice(at + 1));
        };
        stream.onUnknown(({ id, type, data }) => on({ id, type, data }));
        stream.onGap((gap) => on({ id: stream.cursor, gap }));
        stream.onCursor((cursor) => {
          if (own !== mine) return;
          last = cursor;
          since = undefined;
          emit(":cursor", cursor);
          if (++mine.beats > 1 && welcomed) merge(pending.filter((p) => p.id)); // the first is the opening
        });
        stream.onStatus((s) => {
          if (own !== mine) return;
          if (s.state === "connecting") mine.beats = 0;
          onStatus(s);
          if (s.state === "open") onFiltered();
        });
        stream.onFilter(({ ref }) => own === mine && ref !== undefined && onFiltered());
        stream.onError((problem) => own === mine && emit(":error", problem));
        stream.onEnd((reason) => own === mine && emit(":end", reason));
      });
    if (options.ws) run();
    else locks.request(`${name}:${Math.floor(Math.random() * CATCHING_UP)}`, { signal: over.signal }, run).catch(() => {});
  };

  const end = () => {
    const ended = own;
    own = undefined;
    ended?.end();
  };

  const merge = (rest: Entry[]) => {
    end();
    pending = [];
    joined = true;
    onFiltered();
    log.restart(last); // it lacked what only others wanted
    takeAll(rest);
  };

  // ---- leading

  const takeOver = () => {
    if (own) log.restart(last); // it lacks what only others wanted
    end();
    joined = true;
    const announce = () => {
      epoch = crypto.randomUUID();
      channel.postMessage({ to: "tabs", epoch, what: "lead" });
    };
    announce();
    leader = lead(address, options, {
      id,
      log,
      filter: want,
      cover,
      last,
      say: (words) => member && channel.postMessage({ to: "tabs", epoch, ...words }),
      announce,
      entry: take,
      status: onStatus,
      end: (reason) => emit(":end", reason),
      problem: (problem) => emit(":error", problem),
      filtered: onFiltered,
      moved: onMoved,
      gone: (tab, signal, then) => void locks.request(`${name}:${tab}`, { signal }, then).catch(() => {}),
    });
  };

  // elect waits for its turn to lead, which lasts until this tab leaves or another
  // one takes the lock away, since this one seemed to be frozen.
  const elect = (steal?: boolean) => {
    const mine = member as AbortController;
    const signal = mine.signal;
    const request = steal ? { steal } : { signal };
    locks
      .request(name, request, () => {
        if (signal.aborted || leader) return undefined;
        takeOver();
        return new Promise<void>((done) => signal.addEventListener("abort", () => done()));
      })
      .catch(() => {
        if (signal.aborted || member !== mine) return;
        // Another tab leads now. It says what this one does not have.
        leader?.close();
        leader = undefined;
        hello();
        elect();
      });
  };

  const look = () => {
    const t = performance.now();
    const late = t - ticked > 2 * TICK; // this tab was asleep itself
    ticked = t;
    if (leader) channel.postMessage({ to: "tabs", epoch, what: "alive" });
    else if (late) asked = 0;
    else if (asked && t - asked > ANSWER) {
      // Perhaps another one leads, and this tab has missed that.
      asked = welcomed ? t : 0;
      heard = t;
      if (welcomed) hello();
      else elect(true);
    } else if (!asked && t - heard > SILENT) {
      asked = t;
      if (welcomed) tell({ to: "leader", what: "ping" });
      else hello();
    }
  };

  // ---- taking part

  const join = () => {
    if (member || status.state === "ended" || status.state === "closed") return;
    address = new URL(url, globalThis.location?.href).href;
    name = `crier:1:${address}:${options.user}`; // 1: the version of the messages
    const { signal } = (member = new AbortController());
    channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.to === "tabs") {
        if (!leader) hear(data);
      } else leader?.hear(data);
    };
    heard = ticked = performance.now();
    asked = 0;
    const timer = setInterval(look, TICK);
    const on = (type: string, f: () => void) => globalThis.addEventListener?.(type, f, { signal });
    on("pagehide", () => leave("connecting"));
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      leader?.close();
      leader = undefined;
      end();
      tell({ to: "leader", what: "bye", tab: id });
      channel.close();
    });
    set({ ...status, state: "connecting" });
    // A lock of its own, for as long as this tab takes part: so the leader sees when it is gone.
    locks
      .request(`${name}:${id}`, { signal }, () => {
        elect();
        hello();
        return new Promise<void>((done) => signal.addEventListener("abort", () => done()));
      })
      .catch(() => {});
  };

  const leave = (state: Status["state"], reason?: string) => {
    const mine = member;
    member = undefined;
    mine?.abort();
    set({ transport: status.transport, state, ...(reason && { reason }) });
    wake();
  };

  const close = () => {
    if (status.state === "ended" || status.state === "closed") return;
    globalThis.removeEventListener?.("pageshow", shown);
    signal?.removeEventListener("abort", close);
    leave("closed");
  };
  const shown = () => status.state === "connecting" && join();
  globalThis.addEventListener?.("pageshow", shown);
  signal?.addEventListener("abort", close);
  if (signal?.aborted) close();
  else if (!options.paused) join();

  return {
    on: (type, handler) => listen(type, handler as never),
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
      return last;
    },
    filter({ categories, topics }) {
      want = told = { categories, topics };
      filtered = false;
      changes++;
      if (!member) joined = false; // the others did not hear it for this tab
      own?.stream?.filter(want);
      if (leader) leader.filter(want);
      else if (member) tell({ to: "leader", what: "filter", tab: id, filter: want });
    },
    send(message) {
      if (leader) return leader.send(message);
      const can = welcomed && status.state === "open" && status.transport === "ws";
      if (can) tell({ to: "leader", what: "send", message });
      return can;
    },
    pause: () => status.state === "ended" || status.state === "closed" || leave("paused"),
    resume: join,
    close,
    [Symbol.asyncIterator]: () => iterate<E>(),
  };
}

/**
 * When the page was asked for, by Date.now, or a little earlier; undefined if it came
 * from a cache, so that its cursor may be older.
 */
function pageAskedFor(): number | undefined {
  const [page] = (performance.getEntriesByType?.("navigation") ?? []) as PerformanceNavigationTiming[];
  if (!page || page.type === "back_forward" || !page.transferSize) return undefined;
  return Math.min(performance.timeOrigin, Date.now() - performance.now()) - CLOCKS;
}
