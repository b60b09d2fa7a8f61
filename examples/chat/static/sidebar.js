// The sidebar: the lobby, rooms, direct conversations and who is online.

import { LOBBY } from './model.js';
import { timeOf } from './id.js';
import { titleOf } from './names.js';
import { $, avatar, byName, el, redraw, withDot } from './dom.js';

export class Sidebar {
  #model;
  #open;

  // open(key) is called when a conversation is chosen.
  constructor(model, open) {
    this.#model = model;
    this.#open = open;
    avatar(model.me, $('me-avatar'));
    $('me-name').textContent = model.me.name;
    $('me-name').dataset.id = model.me.id;
  }

  render(current) {
    const { conversations, online, people, me } = this.#model;
    redraw($('lobby'), [this.#conversation(conversations.get(LOBBY), current)]);

    const rooms = this.#model.rooms.sort((a, b) => byName(a.room, b.room));
    redraw($('rooms'), rooms.map((c) => this.#conversation(c, current)));

    const directs = [...conversations.values()].filter((c) => c.peer).sort((a, b) => latest(b) - latest(a));
    redraw($('directs'), directs.map((c) => this.#conversation(c, current)));
    $('directs-empty').hidden = directs.length > 0;

    const here = [...online].map((id) => people.get(id)).sort(byName);
    redraw($('people'), here.map((p) => this.#person(p, p.id === me.id)));
    $('people-count').textContent = here.length;
    const { unread } = this.#model;
    $('menu-unread').hidden = unread === 0;
    $('menu-unread').textContent = unread;
    document.title = unread > 0 ? `(${unread}) Crier chat` : 'Crier chat';
  }

  // paused tells that the list of people is not kept up to date.
  set paused(yes) { $('people-paused').hidden = !yes; }

  #conversation(c, current) {
    const sign = c.peer
      ? this.#withDot(c.peer)
      : el('span', { class: 'avatar lobby', 'aria-hidden': 'true' }, '#');
    return el('li', {}, el('button', {
      type: 'button',
      class: 'item',
      id: `conversation-${encodeURIComponent(c.key)}`,
      'aria-current': c === current && 'true',
      dataset: { testid: 'conversation', key: c.key, name: titleOf(c), unread: c.unread },
      on: { click: () => this.#open(c.key) },
    }, sign, el('span', { class: 'item-name' }, c.room?.name ?? titleOf(c)),
    c.unread > 0 && el('span', { class: 'unread', dataset: { testid: 'unread' } },
      String(c.unread), el('span', { class: 'hidden' }, ' unread'))));
  }

  #person(p, me) {
    const content = [this.#withDot(p), el('span', { class: 'item-name' }, p.name)];
    const id = `person-${p.id}`;
    const dataset = { testid: 'person', id: p.id, name: p.name };
    if (me) return el('li', {}, el('span', { class: 'item self', id, dataset }, ...content, el('span', { class: 'item-note' }, 'you')));
    return el('li', {}, el('button', {
      type: 'button',
      class: 'item',
      id,
      title: `Write to ${p.name} alone`,
      dataset,
      on: { click: () => this.#open(p.id) },
    }, ...content));
  }

  #withDot(p) {
    const on = this.#model.online.has(p.id);
    return withDot(p, on, on ? 'online' : 'offline');
  }
}

// latest is when somebody last wrote; a conversation that has just been opened comes first.
const latest = (c) => (c.messages.length ? timeOf(c.messages.at(-1).id) : Infinity);
