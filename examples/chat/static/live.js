// The page's stream. Resuming, reconnecting and falling back are the client's
// business; here is what this page adds: it lets its user choose the transport
// and pull the plug, and counts what a connection has replayed.

import { connect } from '/crier.js';
import { connect as connectShared } from '/crier-shared.js';
import { timeOf } from './id.js';

export class Live {
  #options;         // see the constructor
  #stream;
  #cutUntil = 0;    // when a pulled plug goes back in; 0 if it is in
  #cutTimer = 0;
  #openedAt = 0;    // when the connection was opened, by the server's clock
  #replayed = {};   // category -> events that happened before #openedAt

  // options are:
  //
  //   transport           'sse', 'ws', or 'auto' for the first that gets through
  //   shared              whether all tabs share one connection
  //   user, cursor        whose page it is, and where its stream starts
  //   categories          what this page wants to hear
  //   types               each event type of the application -> its category
  //   clockOffset         the server's clock minus ours
  //   on                  { message(m), settled(), status(s), caused(m) }: settled says
  //                       that from here on the stream hears exactly the categories that
  //                       were asked for; caused, whether an event exists only because
  //                       this stream was opened
  constructor(options) {
    this.#options = { ...options };
    this.#open();
  }

  get status() {
    const { state, transport, reason, retryAt } = this.#stream.status;
    return {
      state: state === 'paused' ? 'cut' : state,
      until: state === 'paused' ? this.#cutUntil : retryAt,
      transport, reason, lastId: this.#stream.cursor, replayed: this.#replayed,
    };
  }

  // use changes the transport, or whether the connection is shared. Another stream
  // goes on where this one is.
  use(change) {
    const { state } = this.#stream.status;
    Object.assign(this.#options, change, { cursor: this.#stream.cursor });
    if (state !== 'ended') this.#open(state === 'paused');
  }

  filter(categories) {
    this.#options.categories = categories;
    this.#stream.filter({ categories });
  }

  // cut drops the connection, and comes back after ms or when plugIn is called.
  cut(ms) {
    this.#cutUntil = Date.now() + ms;
    this.#cutTimer = setTimeout(() => this.plugIn(), ms);
    this.#stream.pause();
  }

  plugIn() {
    clearTimeout(this.#cutTimer);
    this.#cutUntil = 0;
    this.#stream.resume();
  }

  // send writes to the server on the stream itself. False means that this
  // transport cannot, or not now.
  send(message) { return this.#stream.send(message); }

  #open(paused = false) {
    const { transport, shared, user, cursor, categories, types, on } = this.#options;
    this.#stream?.close();
    const stream = (shared ? connectShared : connect)('/events', {
      ws: '/ws', transports: transport === 'auto' ? ['sse', 'ws'] : [transport], from: cursor, categories, user, types: Object.keys(types), paused,
    });
    this.#stream = stream;
    const tell = (message) => {
      if (stream !== this.#stream) return;
      on.message(message);
      on.status(this.status);
    };
    for (const event of Object.keys(types)) {
      stream.on(event, ({ id, data }) => tell(this.#count({ id, event, data })));
    }
    stream.onCursor((id) => tell({ id, event: 'stream.cursor', data: {} }));
    stream.onGap((reason) => tell({ id: stream.cursor, event: 'stream.gap', data: { reason } }));
    stream.onEnd((reason) => tell({ id: stream.cursor, event: 'stream.end', data: { reason } }));
    stream.onFilter((filter) => {
      tell({ id: stream.cursor, event: 'stream.filter', data: filter });
      on.settled();
    });
    stream.onError(({ kind, message }) => {
      if (kind === 'rejected') tell({ event: 'stream.error', data: { error: message } });
      else console.warn(message);
    });
    stream.onStatus(({ state }) => {
      if (stream !== this.#stream) return;
      if (state === 'open') {
        this.#openedAt = Date.now() + this.#options.clockOffset;
        this.#replayed = {};
        on.settled();
      }
      on.status(this.status);
    });
    on.status(this.status);
  }

  // #count notes an event as replayed when it happened before this connection was
  // open.
  #count(message) {
    const { types, on } = this.#options;
    const category = types[message.event];
    message.replayed = message.id !== '' && !on.caused(message) && timeOf(message.id) < this.#openedAt;
    if (message.replayed) this.#replayed[category] = (this.#replayed[category] ?? 0) + 1;
    return message;
  }
}
