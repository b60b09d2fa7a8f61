// The model is what the page knows: conversations, people, who is typing. It
// has no DOM in it. State that the server rendered and events that arrive
// later go through the same apply(), so both mean the same.

export const LOBBY = 'lobby';
export const KEPT = 1000; // messages per conversation

// A room's conversation has the name of its topic as its key.
const ROOM = 'room:';
export const roomKey = (name) => ROOM + name;
export const roomOf = (key) => (key.startsWith(ROOM) ? key.slice(ROOM.length) : null);

const LAST = 'g'; // behind every id

const TYPING_SHOWN = 4000; // ms after the last sign of typing

export class Model {
  me;
  conversations = new Map(); // LOBBY, a user's id or a room's key -> { key, peer, room, messages, unread }
  people = new Map();        // id -> { id, name }: everyone heard of
  online = new Set();        // ids
  #typing = new Map();       // conversation key -> Map of person id -> when it fades
  #messages = new Map();     // message id -> message: what makes apply() safe to repeat

  constructor(me) {
    this.me = me;
    this.#know(me);
    this.conversation(LOBBY);
  }

  // conversation returns the one with this key, made when it is new. That of a room
  // is there for as long as this user is in the room.
  conversation(key) {
    let c = this.conversations.get(key);
    if (!c) {
      c = { key, peer: this.people.get(key) ?? null, room: null, messages: [], unread: 0 };
      this.conversations.set(key, c);
    }
    return c;
  }

  has(id) { return this.#messages.has(id); }

  // load takes the state as the server rendered it, and returns the messages that
  // are news: not those that were written in a room before this user joined it. Messages
  // that are shown already and that the server no longer keeps are older: they stay
  // in front.
  load(state) {
    const rooms = new Set(state.rooms.map((r) => r.name));
    for (const { room } of this.rooms) if (!rooms.has(room.name)) this.leave(room.name);
    for (const { name, members, here } of state.rooms) {
      const room = this.#enter(name, LAST);
      members.forEach((p) => this.#know(p));
      room.members = new Set(members.map((p) => p.id));
      room.here = new Set(here);
    }

    const before = new Set(this.#messages.keys());
    const kept = new Set(state.messages.map((m) => m.id));
    for (const c of this.conversations.values()) c.messages = c.messages.filter((m) => !kept.has(m.id));
    for (const id of kept) this.#messages.delete(id);
    const news = state.messages.map((m) => this.apply(m))
      .filter((change) => change?.kind === 'message' && !before.has(change.message.id) && !(change.conversation.room?.since >= change.message.id));
    for (const { room } of this.rooms) room.since = '';

    this.online = new Set(state.online.map((p) => p.id));
    state.online.forEach((p) => this.#know(p));
    return news;
  }

  // rooms are the conversations of the rooms that this user is in.
  get rooms() {
    return [...this.conversations.values()].filter((c) => c.room);
  }

  // topics are the topics of these rooms.
  get topics() {
    return this.rooms.map((c) => c.key).sort();
  }

  // leave forgets a room.
  leave(name) {
    const key = roomKey(name);
    for (const { id } of this.conversations.get(key)?.messages ?? []) this.#messages.delete(id);
    this.conversations.delete(key);
    this.#typing.delete(key);
  }

  // apply takes in one event and returns what has changed:
  // { kind: 'message', conversation, message, moved } | { kind: 'people' } | { kind: 'typing' }
  // | { kind: 'rooms' }: this user has joined or left one
  // | { kind: 'stranger' }: a message of a room that this user is not known to be in
  // | null
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
      case 'chat.message.room': {
        const key = roomKey(data.room);
        if (!this.conversations.has(key)) return { kind: 'stranger' };
        return this.#message(key, { id, from: data.from, text: data.text });
      }
      case 'presence.room.joined':
      case 'presence.room.left':
        return this.#membership(id, data, event === 'presence.room.joined');
      case 'presence.room.changed': {
        const room = this.conversations.get(roomKey(data.room))?.room;
        if (!room) return null;
        this.#know(data.user);
        if (data.here) room.here.add(data.user.id);
        else room.here.delete(data.user.id);
        return { kind: 'people' };
      }
      case 'presence.user.joined':
        this.#know(data.user);
        this.online.add(data.user.id);
        return { kind: 'people' };
      case 'presence.user.left':
        this.online.delete(data.user.id);
        return { kind: 'people' };
      case 'typing.user.started': {
        const key = data.room ? roomKey(data.room) : data.to ? data.from.id : LOBBY;
        if (data.from.id === this.me.id || data.room && !this.conversations.has(key)) return null;
        this.#know(data.from);
        this.#typingIn(key).set(data.from.id, Date.now() + TYPING_SHOWN);
        return { kind: 'typing' };
      }
    }
    return null;
  }

  // sent notes a message that the server has accepted and that the stream has
  // not brought yet. It takes its real place when it arrives.
  sent(id, key, text) {
    if (this.has(id) || roomOf(key) !== null && !this.conversations.has(key)) return null;
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

  // #membership takes in that somebody, perhaps this user, has joined a room or left it.
  #membership(id, { room: name, user }, joined) {
    if (user.id === this.me.id) {
      if (joined) this.#enter(name, id).members.add(user.id);
      else this.leave(name);
      return { kind: 'rooms' };
    }
    const room = this.conversations.get(roomKey(name))?.room;
    if (!room) return null;
    this.#know(user);
    if (joined) {
      room.members.add(user.id);
    } else {
      room.members.delete(user.id);
      room.here.delete(user.id);
    }
    return { kind: 'people' };
  }

  // #enter returns a room that this user is in. Of one that is new, only that is
  // known until load brings the rest. What was written up to the id since is no news.
  #enter(name, since) {
    const c = this.conversation(roomKey(name));
    c.room ??= { name, members: new Set([this.me.id]), here: new Set(), since };
    return c.room;
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
