// A network for tests with a fake clock: it notes every attempt, and a test says
// what each is answered.

import { afterEach, beforeEach, vi } from "vitest";

export interface Attempt {
  /** Milliseconds since the test began. */
  at: number;
  kind: "fetch" | "ws" | "eventsource";
  method: string;
  url: URL;
  headers: Headers;
  /** Whether the client has given it up. */
  closed: boolean;
}

/** The server's side of one open stream, whatever carries it. */
export interface Line {
  attempt: Attempt;
  send(id: string, event: string, data: unknown): void;
  /** Raw text, where the transport has such. */
  raw(text: string): void;
  close(code?: number, reason?: string): void;
  /** What the client has sent. */
  received: unknown[];
}

type Answer = Response | Error | "hang" | "stream" | "open";

export class Net {
  attempts: Attempt[] = [];
  lines: Line[] = [];
  /** What an attempt is answered; by default everything opens, and a stream begins with a cursor. */
  answer: (a: Attempt) => Answer | Promise<Answer> = () => "open";
  cursor = "cursor-0";
  retry: number | undefined = 3000;
  private began = Date.now();

  get last(): Line {
    const line = this.lines.at(-1);
    if (!line) throw new Error("there is no open stream");
    return line;
  }

  /** The paths of the attempts so far, as "0 GET /events". */
  get log(): string[] {
    return this.attempts.map((a) => `${a.at} ${a.kind === "fetch" ? a.method : a.kind} ${a.url.pathname}`);
  }

  /** The shortest time between two attempts, in milliseconds. */
  get closest(): number {
    return Math.min(...this.attempts.slice(1).map((a, i) => a.at - (this.attempts[i] as Attempt).at));
  }

  note(kind: Attempt["kind"], url: URL | string, init: RequestInit = {}): Attempt {
    const attempt = { at: Date.now() - this.began, kind, method: init.method ?? "GET", url: new URL(url), headers: new Headers(init.headers), closed: false };
    this.attempts.push(attempt);
    return attempt;
  }

  fetch = async (url: URL | string, init: RequestInit = {}): Promise<Response> => {
    const attempt = this.note("fetch", url, init);
    const signal = init.signal as AbortSignal;
    let abort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => {
        attempt.closed = true;
        reject(new DOMException("aborted", "AbortError"));
      };
    });
    aborted.catch(() => {});
    signal.addEventListener("abort", abort);
    const answer = await Promise.race([this.answer(attempt), aborted]);
    if (answer instanceof Response || answer instanceof Error) signal.removeEventListener("abort", abort);
    if (answer instanceof Error) throw answer;
    if (answer === "hang") return aborted;
    if (answer !== "open" && answer !== "stream") return answer;
    if (attempt.method === "HEAD") return new Response(null, { headers: { "content-type": "text/event-stream" } });
    let out!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({ start: (c) => void (out = c) });
    signal.addEventListener("abort", () => out.error(new DOMException("aborted", "AbortError")));
    const raw = (text: string) => attempt.closed || out.enqueue(new TextEncoder().encode(text));
    this.lines.push({
      attempt,
      raw,
      send: (id, event, data) => raw(`${id ? `id: ${id}\n` : ""}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
      close: () => attempt.closed || out.close(),
      received: [],
    });
    if (answer === "open") {
      if (this.retry) raw(`retry: ${this.retry}\n`);
      this.last.send(attempt.url.searchParams.get("last_event_id") ?? this.cursor, "stream.cursor", {});
    }
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
}

function sockets(net: Net) {
  return class {
    readyState = 0;
    onmessage: ((e: { data: unknown }) => void) | null = null;
    onclose: ((e: { code: number; reason: string }) => void) | null = null;
    #attempt: Attempt;
    constructor(url: URL | string) {
      this.#attempt = net.note("ws", url);
      this.#open();
    }
    async #open() {
      const answer = await net.answer(this.#attempt);
      if (this.#attempt.closed || answer === "hang") return;
      if (answer !== "open" && answer !== "stream") return this.#end(1006, "");
      this.readyState = 1;
      const line: Line = {
        attempt: this.#attempt,
        raw: (text) => this.onmessage?.({ data: text }),
        send: (id, event, data) => line.raw(JSON.stringify({ ...(id && { id }), event, data })),
        close: (code = 1006, reason = "") => this.#end(code, reason),
        received: [],
      };
      this.received = line.received;
      net.lines.push(line);
      if (answer === "open") line.send(this.#attempt.url.searchParams.get("last_event_id") ?? net.cursor, "stream.cursor", { retry: net.retry });
    }
    received: unknown[] = [];
    #end(code: number, reason: string) {
      this.readyState = 3;
      this.onclose?.({ code, reason });
    }
    send(text: string) {
      this.received.push(JSON.parse(text));
    }
    close() {
      this.#attempt.closed = true;
      this.readyState = 3;
    }
  };
}

function sources(net: Net) {
  return class {
    onerror: (() => void) | null = null;
    #listeners = new Map<string, (e: { type: string; lastEventId: string; data: string }) => void>();
    #attempt: Attempt;
    constructor(url: string) {
      this.#attempt = net.note("eventsource", url);
      this.#open();
    }
    async #open() {
      const answer = await net.answer(this.#attempt);
      if (this.#attempt.closed || answer === "hang") return;
      if (answer !== "open" && answer !== "stream") return this.onerror?.();
      let lastEventId = "";
      const line: Line = {
        attempt: this.#attempt,
        raw: () => {},
        send: (id, event, data) => {
          lastEventId = id || lastEventId;
          if (!this.#attempt.closed) this.#listeners.get(event)?.({ type: event, lastEventId, data: JSON.stringify(data) });
        },
        close: () => this.onerror?.(),
        received: [],
      };
      net.lines.push(line);
      if (answer === "open") line.send(this.#attempt.url.searchParams.get("last_event_id") ?? net.cursor, "stream.cursor", {});
    }
    addEventListener(type: string, f: (e: { type: string; lastEventId: string; data: string }) => void) {
      this.#listeners.set(type, f);
    }
    close() {
      this.#attempt.closed = true;
    }
  };
}

/** What a page has beside a network: events on window and document, and storage. */
export class Page {
  window = new EventTarget();
  document = new EventTarget();
  store = new Map<string, string>();
  forbidden = false;

  localStorage = {
    getItem: (key: string) => {
      if (this.forbidden) throw new DOMException("denied", "SecurityError");
      return this.store.get(key) ?? null;
    },
    setItem: (key: string, value: string) => {
      if (this.forbidden) throw new DOMException("denied", "SecurityError");
      this.store.set(key, value);
    },
  };
}

/** Installs a fake clock and network for every test of a file, and a fake page unless there is a document already. */
export function useNet(): { net: Net; page: Page } {
  const here = {} as { net: Net; page: Page };
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_700_000_000_000, toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
    const net = new Net();
    const page = new Page();
    Object.assign(here, { net, page });
    vi.stubGlobal("fetch", net.fetch);
    vi.stubGlobal("WebSocket", sockets(net));
    vi.stubGlobal("EventSource", sources(net));
    vi.stubGlobal("reportError", () => {});
    if (globalThis.document) return;
    vi.stubGlobal("document", page.document);
    vi.stubGlobal("localStorage", page.localStorage);
    vi.stubGlobal("addEventListener", page.window.addEventListener.bind(page.window));
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  return here;
}

/** Lets the fake clock run. */
export const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
