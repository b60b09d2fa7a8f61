// The page's stream. Resuming, reconnecting and falling back are the client's
// business; here is what this page adds: it lets its user choose the transport
// and pull the plug, counts what a connection has replayed, and follows topics.

import { connect } from '/crier.js';
import { connect as connectShared } from '/crier-shared.js';
import { timeOf } from './id.js';

// How long the server has, in ms, to change the topics of a stream by itself, as it
// does when its user joins or leaves a room, and to say why. A change that the client
// asks for may need another connection, and is refused for a room that was just left.
const BY_ITSELF = 300;

// How often in a row the server may refuse the topics before the stream is over.
const REFUSALS = 3;

export class Live {
  #options;         // see the constructor
  #stream;
  #cutUntil = 0;    // when a pulled plug goes back in; 0 if it is in
  #cutTimer = 0;
  #openedAt = 0;    // when the connection was opened, by the server's clock
  #replayed = {};   // category -> events that happened before #openedAt
  #topics;          // what the stream follows, or has been asked to
  #covered;         // the topics of which it has brought everything since the last settled
  #asking = false;  // the server has not answered to a change of topics yet
  #askTimer = 0;
  #refusals = 0;    // in a row
  #refused = false; // the stream has ended for that, and waits for follow

  // options are:
  //
  //   transport           'sse', 'ws', or 'auto' for the first that gets through
  //   shared              whether all tabs share one connection
  //   user, cursor        whose page it is, and where its stream starts
  //   categories          what this page wants to hear
  //   topics              the topics that it wants to follow
  //   types               each event type of the application -> its category
  //   clockOffset         the server's clock minus ours
  //   on                  { message(m), settled(added), refused(), status(s), caused(m) }:
  //                       settled says that from here on the stream hears exactly the
  //                       categories that were asked for, and follows live.topics; added,
  //                       whether it did not follow all of them before. refused says that
  //                       it may not follow all topics: find out which, and call follow.
  //                       caused says whether an event exists only because this stream
  //                       was opened
  constructor(options) {
    this.#options = { ...options };
    this.#open();
  }

  get status() {
    const { state, transport, reason, retryAt } = this.#stream.status;
    return {
      state: this.#refused ? 'retrying' : state === 'paused' ? 'cut' : state,
      until: state === 'paused' ? this.#cutUntil : retryAt,
      transport, reason, lastId: this.#stream.cursor, replayed: this.#replayed,
    };
  }

  // topics are the topics that the stream follows, or has been asked to follow.
  get topics() { return this.#topics; }

  // refused reports whether the stream waits for follow, since it has been refused.
  get refused() { return this.#refused; }

  // use changes the transport, or whether the connection is shared. Another stream
  // goes on where this one is.
  use(change) {
    const { state } = this.#stream.status;
    Object.assign(this.#options, change, { cursor: this.#stream.cursor });
    if (state !== 'ended') this.#open(state === 'paused');
  }

  filter(categories) {
    this.#options.categories = categories;
    this.#ask();
  }

  // follow makes the stream follow these topics and no others. It may be called at any
  // time, and does nothing if that is so already.
  follow(topics) {
    this.#options.topics = topics;
    if (this.#refused) {
      this.#options.cursor = this.#stream.cursor;
      this.#open();
      return;
    }
    this.#cover(topics);
    if (!this.#askTimer || this.#isPaused) this.#askLater();
  }

  // end gives up a stream that was refused.
  end() {
    this.#refused = false;
    this.#options.on.status(this.status);
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

  get #isPaused() { return this.#stream.status.state === 'paused'; }

  #askLater() {
    clearTimeout(this.#askTimer);
    this.#askTimer = setTimeout(() => this.#askIfNeeded(), this.#isPaused ? 0 : BY_ITSELF); // while it is cut, the server cannot
  }

  #askIfNeeded() {
    this.#askTimer = 0;
    const { topics } = this.#options;
    if (!sameTopics(topics, this.#topics) || !sameTopics(topics, this.#covered)) this.#ask();
  }

  #ask() {
    const { categories, topics } = this.#options;
    this.#takeTopics(topics);
    this.#asking = true;
    this.#stream.filter({ categories, topics });
  }

  // #takeTopics notes what the stream has been asked to follow, or follows by the
  // server's decision.
  #takeTopics(topics) {
    this.#topics = topics;
    this.#cover(topics);
  }

  // #cover notes what is followed on. A topic that is left and then followed again may
  // have a hole.
  #cover(topics) {
    this.#covered = this.#covered.filter((t) => topics.includes(t));
  }

  #settle() {
    const added = this.#topics.some((t) => !this.#covered.includes(t));
    this.#covered = this.#topics;
    this.#asking = false;
    this.#options.on.settled(added);
  }

  #open(paused = false) {
    const { transport, shared, user, cursor, categories, topics, types, on } = this.#options;
    this.#stream?.close();
    this.#refused = false;
    this.#covered ??= topics;
    this.#takeTopics(topics);
    const stream = (shared ? connectShared : connect)('/events', {
      ws: '/ws', transports: transport === 'auto' ? ['sse', 'ws'] : [transport], from: cursor, categories, topics, user, types: Object.keys(types), paused,
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
      if (stream !== this.#stream) return;
      this.#takeTopics(filter.topics ?? []); // the server may have added some, or taken them
      if (filter.ref !== undefined) this.#asking = false;
      else if (this.#askTimer) this.#askLater(); // the event that says why is about to come
      if (!this.#asking) this.#settle(); // else the answer follows
    });
    stream.onError(({ kind, message, ref }) => {
      if (stream !== this.#stream) return;
      if (kind !== 'rejected') console.warn(message);
      else if (ref < 0) { // a change of the filter
        this.#asking = false;
        on.refused();
      } else tell({ event: 'stream.error', data: { error: message } });
    });
    stream.onStatus(({ state, reason }) => {
      if (stream !== this.#stream) return;
      if (state === 'open') {
        this.#openedAt = Date.now() + this.#options.clockOffset;
        this.#replayed = {};
        this.#refusals = 0;
        this.#settle();
      }
      // Of a room that the user has been put out of while the stream was down.
      this.#refused = state === 'ended' && reason === 'forbidden' && ++this.#refusals <= REFUSALS;
      on.status(this.status);
      if (this.#refused) on.refused();
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

export const sameTopics = (a, b) => a.length === b.length && a.every((t) => b.includes(t));
