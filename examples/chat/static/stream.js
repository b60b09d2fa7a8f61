// A Stream is the page's one connection to the hub. It keeps the last id that
// was received, and every connection it opens starts there: after a switch of
// transport, a change of filter, a pulled plug or a broken line alike. That one
// rule is all that a client has to do to lose nothing and double nothing.

import { openSSE, openWS } from './transports.js';

// What the hub itself says on a stream; see "The wire" in the documentation.
const STREAM_EVENTS = ['stream.cursor', 'stream.gap', 'stream.filter', 'stream.error', 'stream.end'];

// Reasons after which connecting again cannot help.
const FINAL_REASONS = ['revoked', 'expired'];

// The hub sends a heartbeat every 25 seconds or so when there is nothing else
// to send. Silence for three of them means that the line is dead, though the
// browser has not noticed: a laptop that slept, a network that changed.
const SILENCE = 75_000;
const LONGEST_RETRY = 30_000;

export class Stream {
  #transport;
  #lastId;
  #categories;      // what this stream wants to hear
  #all;             // every category there is; wanting all needs no filter
  #types;           // the application's event types
  #on;              // see the constructor
  #clockOffset;     // the server's clock minus ours
  #connection = null;
  #generation = 0;  // events of a connection that was replaced are dropped by it
  #open = false;    // the opening cursor has been seen
  #openedAt = 0;    // when it was, by the server's clock
  #replayed = {};   // category -> events that happened before #openedAt
  #retry = 3000;    // what the server asked for
  #failures = 0;
  #timer = 0;
  #watchdog = 0;
  #status = { state: 'connecting' };

  // types maps each of the application's event types to its category. on is
  // { message(m), settled(), status(s), caused(m) }: settled says that from here
  // on the stream hears exactly the categories that were asked for; caused, whether
  // an event exists only because this stream was opened.
  constructor({ transport, lastId, categories, types, clockOffset, on }) {
    this.#transport = transport;
    this.#lastId = lastId;
    this.#all = [...new Set(Object.values(types))];
    this.#categories = categories;
    this.#types = types;
    this.#clockOffset = clockOffset;
    this.#on = on;
    // The network is back: no reason to wait for the rest of the pause.
    addEventListener('online', () => { if (this.#status.state === 'retrying' && this.#status.until) this.connect(); });
  }

  get transport() { return this.#transport; }

  get status() {
    return { ...this.#status, transport: this.#transport, lastId: this.#lastId, replayed: this.#replayed };
  }

  // connect opens a connection at the last id, in place of the one there is.
  connect() {
    this.#disconnect();
    this.#set({ state: 'connecting' });
    const generation = this.#generation;
    const mine = (f) => (arg) => { if (generation === this.#generation) f(arg); };
    const on = { message: mine((m) => this.#receive(m)), lost: mine((how) => this.#lost(how)) };
    this.#connection = this.#transport === 'ws'
      ? openWS(this.#address('/ws'), on)
      : openSSE(this.#address('/events'), [...Object.keys(this.#types), ...STREAM_EVENTS], on);
    this.#watch();
  }

  // use changes the transport. The old connection is closed first: two at a
  // time would deliver everything twice.
  use(transport) {
    if (transport === this.#transport) return;
    this.#transport = transport;
    if (['cut', 'ended'].includes(this.#status.state)) this.#set(this.#status);
    else this.connect();
  }

  // filter changes which categories the stream hears. A WebSocket is told and
  // stays; an EventSource cannot be told anything, so a new one takes over.
  filter(categories) {
    this.#categories = categories;
    if (['cut', 'ended'].includes(this.#status.state)) return;
    if (!(this.#open && this.send({ categories }))) this.connect();
  }

  // cut drops the connection and comes back after ms, or when connect is called.
  cut(ms) {
    this.#disconnect();
    this.#set({ state: 'cut', until: Date.now() + ms });
    this.#timer = setTimeout(() => this.connect(), ms);
  }

  // send writes to the server on the stream itself. False means that this
  // transport cannot, or not now.
  send(message) {
    return this.#connection?.send(message) ?? false;
  }

  #address(path) {
    const query = new URLSearchParams({ last_event_id: this.#lastId });
    if (this.#categories.length < this.#all.length) query.set('categories', this.#categories.join(','));
    return `${path}?${query}`;
  }

  #receive(message) {
    this.#watch();
    if (message.id) this.#lastId = message.id;
    switch (message.event) {
      case 'stream.cursor':
        if (message.data.retry) this.#retry = message.data.retry;
        if (!this.#open) this.#opened();
        break;
      case 'stream.filter':
        // Not the answer to an earlier change, when two followed each other.
        if (sameMembers(message.data.categories, this.#categories)) this.#on.settled();
        break;
      case 'stream.end':
        if (message.data.retry) this.#retry = message.data.retry;
        this.#on.message(message);
        this.#endedBy(message.data.reason);
        return;
      default:
        this.#count(message);
    }
    this.#on.message(message);
    this.#on.status(this.status);
  }

  #opened() {
    this.#open = true;
    this.#openedAt = Date.now() + this.#clockOffset;
    this.#replayed = {};
    this.#failures = 0;
    this.#set({ state: 'open' });
    this.#on.settled();
  }

  // #count notes an event as replayed when it happened before this stream was
  // open. An event's id is a version 7 UUID, which begins with its time. (An
  // ephemeral event has none, and is never replayed.)
  #count(message) {
    const category = this.#types[message.event];
    message.replayed = Boolean(category) && Boolean(message.id) && !this.#on.caused(message) && timeOf(message.id) < this.#openedAt;
    if (message.replayed) this.#replayed[category] = (this.#replayed[category] ?? 0) + 1;
  }

  #endedBy(reason) {
    if (FINAL_REASONS.includes(reason)) {
      this.#disconnect();
      this.#set({ state: 'ended', reason });
      return;
    }
    // The server closes next, and #lost goes on from there; it keeps the reason.
    this.#set({ ...this.#status, reason });
  }

  async #lost({ browserRetries }) {
    const wasOpen = this.#open;
    this.#open = false;
    const { reason } = this.#status;
    if (browserRetries) {
      clearTimeout(this.#watchdog); // the pause may be a long one that the server asked for
      this.#set({ state: 'retrying', reason });
      return;
    }
    this.#disconnect();
    this.#set({ state: 'retrying', reason });
    if (!wasOpen) {
      // Refused before it began, and neither transport tells a script why.
      // The same question without a stream does.
      const generation = this.#generation;
      const answer = await fetch(this.#address('/events'), { method: 'HEAD', cache: 'no-store' }).catch(() => null);
      if (generation !== this.#generation) return;
      if (answer?.status === 401) {
        this.#set({ state: 'ended', reason: 'unauthenticated' });
        return;
      }
    }
    this.#retryLater(reason);
  }

  // #retryLater waits for as long as the server asked, doubled with every failure in
  // a row and with chance in it, so that a server that restarts is not met by
  // everybody at once.
  #retryLater(reason) {
    const pause = Math.max(this.#retry, Math.min(LONGEST_RETRY, this.#retry * 2 ** this.#failures));
    const ms = pause * (1 + Math.random() / 2);
    this.#failures++;
    this.#set({ state: 'retrying', until: Date.now() + ms, reason });
    this.#timer = setTimeout(() => this.connect(), ms);
  }

  #disconnect() {
    this.#generation++;
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    this.#connection?.close();
    this.#connection = null;
    this.#open = false;
  }

  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.connect(), SILENCE);
  }

  #set(status) {
    this.#status = status;
    this.#on.status(this.status);
  }
}

const sameMembers = (a, b) => a.length === b.length && a.every((x) => b.includes(x));

// timeOf reads the milliseconds since 1970 from a version 7 UUID.
export function timeOf(id) {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
