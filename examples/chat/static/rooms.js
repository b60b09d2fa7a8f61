// Rooms: joining one, leaving the one that is open, and who is in it.

import { titleOf } from './names.js';
import { $, byName, el, redraw, withDot } from './dom.js';

const SHOWN = 6; // members, before somebody asks for all of them

export class Rooms {
  #model;
  #open;
  #shown = null; // the conversation
  #all = false;  // all of its members are shown

  // open(key) is called when a member is chosen; join(name) and leave(conversation)
  // resolve when that is done. join rejects with what to tell the user.
  constructor(model, { open, join, leave }) {
    this.#model = model;
    this.#open = open;
    $('join').addEventListener('submit', (e) => { e.preventDefault(); this.#submit(join); });
    $('join-name').addEventListener('input', () => this.#error(''));
    $('leave').addEventListener('click', async () => {
      $('leave').disabled = true;
      await leave(this.#shown);
      $('leave').disabled = false;
    });
  }

  render(current) {
    if (current !== this.#shown) this.#all = false;
    this.#shown = current;
    const { room } = current;
    $('members').hidden = $('leave').hidden = !room;
    if (!room) return;
    $('leave').setAttribute('aria-label', `Leave ${titleOf(current)}`);
    const members = [...room.members].map((id) => this.#model.people.get(id)).sort(byName);
    const isHere = (p) => room.here.has(p.id);
    const sorted = [...members.filter(isHere), ...members.filter((p) => !isHere(p))];
    const shown = this.#all || sorted.length <= SHOWN + 1 ? sorted : sorted.slice(0, SHOWN);
    const items = shown.map((p) => this.#member(p, isHere(p)));
    if (shown.length < sorted.length || this.#all) items.push(this.#more(sorted.length - shown.length));
    redraw($('members-list'), items.map((e) => el('li', {}, e)));
  }

  // paused tells that the list of members is not kept up to date.
  set paused(yes) { $('members-paused').hidden = !yes; }

  #member(p, here) {
    const me = p.id === this.#model.me.id;
    const content = [withDot(p, here, here ? 'here' : 'not here'), el('span', { class: 'chip-name' }, me ? 'You' : p.name)];
    const id = `member-${p.id}`;
    const dataset = { testid: 'member', name: p.name, here };
    if (me) return el('span', { class: 'chip', id, dataset }, ...content);
    return el('button', {
      type: 'button',
      class: 'chip',
      id,
      title: `${p.name} is ${here ? 'here' : 'not here now'}. Write to ${p.name} alone`,
      dataset,
      on: { click: () => this.#open(p.id) },
    }, ...content);
  }

  #more(left) {
    return el('button', {
      type: 'button',
      class: 'chip more',
      id: 'members-more',
      'aria-expanded': String(this.#all),
      'aria-label': this.#all ? 'Show fewer members' : `Show ${left} more members`,
      dataset: { testid: 'members-more' },
      on: { click: () => { this.#all = !this.#all; this.render(this.#shown); } },
    }, this.#all ? 'Fewer' : `+${left}`);
  }

  async #submit(join) {
    const name = $('join-name').value;
    if (!name.trim()) return $('join-name').focus();
    $('join-button').disabled = true;
    this.#error('');
    try {
      await join(name);
      if ($('join-name').value === name) $('join-name').value = '';
    } catch (err) {
      this.#error(err.message);
      $('join-name').focus();
    }
    $('join-button').disabled = false;
  }

  #error(text) {
    $('join-error').textContent = text;
    $('join-name').setAttribute('aria-invalid', text !== '');
  }
}
