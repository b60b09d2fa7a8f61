// What the tab does that leads: it has the one connection, passes on what comes,
// and brings tabs up to date.

import { connect } from "../crier.js";
import type { Filter, Options, Problem, Status, Stream } from "../types.js";
import { asFilter, type Cover, covers, same, union } from "./cover.js";
import type { Entry, Log } from "./log.js";
import type { FromLeader, ToLeader } from "./messages.js";

/** How long what only a closed tab wanted is still heard: tabs that are loaded again come back. In milliseconds. */
const LINGER = 30_000;

type Hello = Extract<ToLeader, { what: "hello" }>;
type Words = FromLeader extends infer M ? (M extends FromLeader ? Omit<M, "to" | "epoch"> : never) : never;

/** The tab that the leader is part of. */
export interface Self {
  id: string;
  filter: Filter;
  log: Log;
  /** What the connection of an earlier leader heard, if there was one. */
  cover: Cover | undefined;
  /** Where the stream goes on. */
  last: string;
  /** Says something to all tabs but this one. */
  say(words: Words): void;
  /** Has all tabs say again what they want. */
  announce(): void;
  /** Tells this tab. */
  entry(entry: Entry): void;
  status(status: Status): void;
  end(reason: string): void;
  problem(problem: Problem): void;
  filtered(): void;
  /** Calls then when a tab is gone, unless the signal is aborted before that. */
  gone(tab: string, signal: AbortSignal, then: () => void): void;
}

export function lead(url: string, options: Options, self: Self) {
  const { log, say } = self;
  const tabs = new Map<string, Filter>([[self.id, self.filter]]);
  // What an earlier leader heard for others is heard on: they are about to say what they want.
  let cover = union(self.cover ? [self.filter, asFilter(self.cover)] : [self.filter], self.cover, Math.min(log.begun, Date.now()));
  let asked = cover; // what the stream was last asked for
  let changing = false; // the stream does not hear all that yet
  let waiting: (() => void)[] = []; // for that
  let granted = false; // the server has let the stream in
  let whole = true; // what earlier leaders heard has been heard on
  let lingering: ReturnType<typeof setTimeout>;
  const over = new AbortController();

  const open = (from: string) => {
    const stream = connect(url, { ...options, ...asFilter(cover), from, types: [], paused: false, signal: undefined });
    listen(stream);
    return stream;
  };

  const listen = (stream: Stream) => {
    // Nobody listens to types, so all events come here, in their order among gaps.
    stream.onUnknown(({ id, type, data }) => pass({ id, type, data }));
    stream.onGap((gap) => pass({ id: stream.cursor, gap }));
    stream.onCursor((id) => {
      if (log.begun === Number.POSITIVE_INFINITY) log.begun = Date.now(); // it starts now
      if (id !== log.last) pass({ id });
    });
    stream.onStatus((status) => {
      if (over.signal.aborted) return; // closed here
      if (status.state === "ended" && status.reason === "forbidden") return forbidden(status);
      if (status.state === "open") granted = true;
      say({ what: "status", status });
      self.status(status);
    });
    stream.onEnd((reason) => {
      say({ what: "end", reason });
      self.end(reason);
    });
    stream.onError((problem) => {
      say({ what: "problem", problem });
      self.problem(problem);
      if (changing && (problem.kind === "rejected" || problem.status === 400)) refuse();
    });
    stream.onFilter(({ topics }) => {
      if (!changing) return moved(topics);
      cover = union([asFilter(asked)], cover, Date.now());
      say({ what: "cover", cover });
      settle();
    });
  };

  const pass = (entry: Entry) => {
    say({ what: "entry", entry }); // others first: this tab may be gone at any moment
    self.entry(entry);
  };

  const settle = () => {
    changing = false;
    const ready = waiting;
    waiting = [];
    adapt();
    for (const f of ready) f();
  };

  // moved follows the server, which has added topics to the stream or taken some. To
  // ask for those again would be refused.
  const moved = (topics: readonly string[] | undefined) => {
    if (!topics) return;
    for (const [tab, filter] of tabs) {
      const left = filter.topics?.filter((name) => topics.includes(name) || cover.topics[name] === undefined);
      tabs.set(tab, { ...filter, topics: left });
    }
    cover = asked = { ...cover, topics: union([{ categories: [], topics }], cover, Date.now()).topics };
    say({ what: "cover", cover });
  };

  // forbidden follows a 403, which is about what some tab has asked for and not about
  // the others.
  const forbidden = (status: Status) => {
    const alone = union([tabs.get(self.id) as Filter], cover, Date.now());
    if (changing && granted) refuse();
    else if (same(cover, alone)) self.status(status);
    else {
      // Something has been forbidden that was heard before. Begin again with what this
      // tab wants; the others say again what they want.
      cover = asked = alone;
      changing = granted = whole = false;
      waiting = [];
      for (const tab of [...tabs.keys()]) if (tab !== self.id) tabs.delete(tab);
      stream = open(stream.cursor);
      self.announce();
    }
  };

  // refuse sends away the tabs that have asked for what the server does not allow,
  // and goes back to what it does.
  const refuse = () => {
    waiting = [];
    asked = cover;
    const refused = [...tabs].filter(([, filter]) => !covers(cover, filter, Date.now()));
    for (const [tab] of refused) {
      tabs.delete(tab);
      if (tab !== self.id) say({ what: "refused", tab });
    }
    const ended = stream.status.state === "ended";
    changing = !ended && refused.length > 0; // and with nobody to blame, nothing is asked for again
    if (!tabs.has(self.id)) self.status({ ...stream.status, state: "ended", reason: "forbidden" });
    else if (ended) stream = open(stream.cursor);
    else if (changing) stream.filter(asFilter(cover));
  };

  // adapt asks the stream for what the tabs want now. What nobody wants any more
  // is dropped only when narrow is set.
  const adapt = (narrow?: boolean) => {
    if (changing) return;
    const want = union(narrow ? tabs.values() : [...tabs.values(), asFilter(asked)], cover, Date.now());
    if (same(want, asked)) return;
    changing = true;
    asked = want;
    stream.filter(asFilter(want));
  };

  // wants notes what a tab wants, and calls then when it is heard.
  const wants = (tab: string, filter: Filter, then: () => void) => {
    if (!tabs.has(tab) && tab !== self.id) self.gone(tab, over.signal, () => forget(tab));
    tabs.set(tab, filter);
    adapt();
    const wait = () => (covers(cover, filter, Date.now()) || !changing ? then() : waiting.push(wait));
    wait();
  };

  const forget = (tab: string) => {
    if (tabs.delete(tab)) linger();
  };
  const linger = () => {
    clearTimeout(lingering);
    lingering = setTimeout(() => adapt(true), LINGER);
  };

  const welcome = ({ tab, filter, last, joined, since }: Hello) => {
    const time = log.time(last);
    let entries: Entry[] | undefined;
    if (!last) entries = [];
    else if (time !== undefined && ((joined && whole) || covers(cover, filter, time))) entries = log.after(last);
    else if (since !== undefined && covers(cover, filter, since)) entries = log.since(since);
    say({ what: "welcome", tab, entries, head: log.last, status: stream.status, cover });
  };

  let stream = open(self.last);
  return {
    send: (message: unknown) => stream.send(message),
    hear(m: ToLeader): void {
      if (m.what === "hello") wants(m.tab, m.filter, () => welcome(m));
      else if (m.what === "filter") wants(m.tab, m.filter, () => say({ what: "filtered", tab: m.tab }));
      else if (m.what === "bye") forget(m.tab);
      else if (m.what === "ping") say({ what: "alive" });
      else stream.send(m.message);
    },
    filter(filter: Filter): void {
      wants(self.id, filter, self.filtered);
      linger();
    },
    close(): void {
      over.abort();
      clearTimeout(lingering);
      stream.close();
    },
  };
}
