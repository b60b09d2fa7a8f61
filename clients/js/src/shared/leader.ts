// What the tab does that leads: it has the one connection, passes on what comes,
// and brings tabs up to date.

import { connect } from "../crier.js";
import type { Filter, Options, Problem, Status, Stream } from "../types.js";
import { asFilter, type Cover, covers, type Move, moved, same, union } from "./cover.js";
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
  moved(move: Move): void;
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
  let alone = false; // it asks for what this tab wants, since it was refused more
  let whole = true; // what earlier leaders heard has been heard on
  let lingering: ReturnType<typeof setTimeout>;
  const over = new AbortController();

  const open = (from: string) => {
    const opened = connect(url, { ...options, ...asFilter(cover), from, types: [], paused: false, signal: undefined });
    listen(opened);
    return opened;
  };

  const listen = (mine: Stream) => {
    // Nobody listens to types, so all events come here, in their order among gaps.
    mine.onUnknown(({ id, type, data }) => pass({ id, type, data }));
    mine.onGap((gap) => pass({ id: mine.cursor, gap }));
    mine.onCursor((id) => {
      if (log.begun === Number.POSITIVE_INFINITY) log.begun = Date.now(); // it starts now
      if (id !== log.last) pass({ id });
    });
    mine.onStatus((status) => {
      if (over.signal.aborted || mine !== stream) return; // closed here
      if (status.state === "ended" && status.reason === "forbidden") return forbidden(status);
      if (status.state === "open" && !granted) {
        granted = true;
        self.filtered(); // if it was refused more than that
      }
      say({ what: "status", status });
      self.status(status);
    });
    mine.onEnd((reason) => {
      say({ what: "end", reason });
      self.end(reason);
    });
    mine.onError((problem) => {
      say({ what: "problem", problem });
      self.problem(problem);
      const refused = (problem.kind === "rejected" && (problem.ref as number) < 0) || problem.status === 400;
      if (refused && changing) refuse();
      else if (refused && alone && !granted) self.status({ ...mine.status, state: "ended", reason: "forbidden" });
    });
    mine.onFilter(({ topics = [], ref }) => {
      if (ref === undefined) move(topics);
      else {
        cover = asked = union([{ ...asFilter(asked), topics }], cover, Date.now());
        settle();
      }
      say({ what: "cover", cover });
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

  // move follows the server, which has added topics to the stream or taken some. So do
  // all tabs: who asked again for what was taken would be refused.
  const move = (topics: readonly string[]) => {
    const before = Object.keys(cover.topics);
    const change: Move = {
      added: topics.filter((name) => !before.includes(name) && asked.topics[name] === undefined),
      taken: before.filter((name) => !topics.includes(name)),
    };
    if (!change.added.length && !change.taken.length) return;
    for (const [tab, filter] of tabs) tabs.set(tab, moved(filter, change));
    const now = Date.now();
    asked = union([moved(asFilter(asked), change)], asked, now);
    cover = union([moved(asFilter(cover), change)], cover, now);
    say({ what: "moved", ...change });
    self.moved(change);
  };

  const ofThisTab = () => union([tabs.get(self.id) as Filter], cover, Date.now());

  // forbidden follows a 403, which is about what some tab has asked for and not about
  // the others.
  const forbidden = (status: Status) => {
    if (changing && granted) refuse();
    else if (same(cover, ofThisTab())) self.status(status);
    else restart(); // something has been forbidden that was heard before
  };

  // restart begins again with what this tab wants. The others say again what they want.
  const restart = () => {
    cover = asked = ofThisTab();
    changing = granted = whole = false;
    alone = true;
    waiting = [];
    for (const tab of [...tabs.keys()]) if (tab !== self.id) tabs.delete(tab);
    const before = stream;
    stream = open(before.cursor);
    before.close();
    self.announce();
  };

  // refuse goes back to what the server allows, without the tabs that have asked for
  // more.
  const refuse = () => {
    const ended = stream.status.state === "ended";
    const want = union(tabs.values(), cover, Date.now());
    if (!same(want, asked)) {
      // Perhaps it was about what no tab wants any more.
      asked = want;
      if (ended) stream = open(stream.cursor);
      stream.filter(asFilter(want));
      return;
    }
    const refused = [...tabs].filter(([, filter]) => !covers(cover, filter, Date.now()));
    if (refused.some(([tab]) => tab === self.id)) return restart();
    for (const [tab] of refused) {
      tabs.delete(tab);
      say({ what: "refused", tab });
    }
    waiting = [];
    asked = cover;
    changing = !ended && refused.length > 0; // and with nobody to blame, nothing is asked for again
    if (ended) stream = open(stream.cursor);
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
