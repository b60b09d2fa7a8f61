// The model is what the page knows: conversations, people, who is typing. It
// has no DOM in it. State that the server rendered and events that arrive
// later go through the same apply(), so both mean the same.

export const LOBBY = 'lobby';
export const KEPT = 1000; // messages per conversation

const TYPING_SHOWN = 4000; // ms after the last sign of typing

export class Model {
  me;
  conversations = new Map(); // LOBBY or a user's id -> { key, peer, messages, unread }
  people = new Map();        // id -> { id, name }: everyone heard of
  online = new Set();        // ids
  #typing = new Map();       // conversation key -> Map of person id -> when it fades
  #messages = new Map();     // message id -> message: what makes apply() safe to repeat

  constructor(me) {
    this.me = me;
    this.#know(me);
    this.conversation(LOBBY);
  }

  // conversation returns the one with this key, made when it is new.
  conversation(key) {
    let c = this.conversations.get(key);
    if (!c) {
      c = { key, peer: this.people.get(key) ?? null, messages: [], unread: 0 };
      this.conversations.set(key, c);
    }
    return c;
  }

  has(id) { return this.#messages.has(id); }

  // load takes the state as the server rendered it. Messages that are shown
  // already and that the server no longer keeps are older: they stay in front.
  load(state) {
    const kept = new Set(state.messages.map((m) => m.id));
    for (const c of this.conversations.values()) c.messages = c.messages.filter((m) => !kept.has(m.id));
    for (const id of kept) this.#messages.delete(id);
    for (const m of state.messages) this.apply(m);
    this.online = new Set(state.online.map((p) => p.id));
    state.online.forEach((p) => this.#know(p));
  }

  // apply takes in one event and returns what has changed:
  // { kind: 'message', conversation, message, moved } | { kind: 'people' } | { kind: 'typing' } | null
  apply({ id, event, data }) {
    switch (event) {
      case 'chat.message.posted':
        return this.#message(LOBBY, { id, from: data.from, text: data.text });
      case 'chat.message.direct': {
        this.#know(data.to);
        const peer = data.from.id === this.me.id ? data.to : data.from;
        this.#know(peer);
        return this.#message(peer.id, { id, from: data.from, text: data.text });
      }
      case 'presence.user.joined':
        this.#know(data.user);
        this.online.add(data.user.id);
        return { kind: 'people' };
      case 'presence.user.left':
        this.online.delete(data.user.id);
        return { kind: 'people' };
      case 'typing.user.started':
        if (data.from.id === this.me.id) return null;
        this.#know(data.from);
        this.#typingIn(data.to ? data.from.id : LOBBY).set(data.from.id, Date.now() + TYPING_SHOWN);
        return { kind: 'typing' };
    }
    return null;
  }

  // sent notes a message that the server has accepted and that the stream has
  // not brought yet. It takes its real place when it arrives.
  sent(id, key, text) {
    if (this.has(id)) return null;
    return this.#message(key, { id, from: this.me, text, pending: true });
  }

  // typists are the names of those who are typing in a conversation now.
  typists(key) {
    const typing = this.#typingIn(key);
    for (const [id, until] of typing) if (until <= Date.now()) typing.delete(id);
    return [...typing.keys()].map((id) => this.people.get(id).name);
  }

  get unread() {
    return [...this.conversations.values()].reduce((n, c) => n + c.unread, 0);
  }

  #message(key, message) {
    const known = this.#messages.get(message.id);
    if (known && !known.pending) return null; // in the page's state and on the stream
    const conversation = this.conversation(key);
    if (known) conversation.messages.splice(conversation.messages.indexOf(known), 1);
    // By their ids, which begin with their time: what a stream replays after a
    // gap may be older than the state that was read meanwhile.
    let place = conversation.messages.length;
    while (place > 0 && conversation.messages[place - 1].id > message.id) place--;
    const moved = Boolean(known) || place < conversation.messages.length;
    conversation.messages.splice(place, 0, message);
    this.#messages.set(message.id, message);
    this.#know(message.from);
    this.#typingIn(key).delete(message.from.id);
    if (conversation.messages.length > KEPT) this.#messages.delete(conversation.messages.shift().id);
    return { kind: 'message', conversation, message, moved };
  }

  #typingIn(key) {
    if (!this.#typing.has(key)) this.#typing.set(key, new Map());
    return this.#typing.get(key);
  }

  #know(person) {
    this.people.set(person.id, person);
    const c = this.conversations.get(person.id);
    if (c) c.peer = person;
  }
}
