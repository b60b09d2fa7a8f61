// The log is the open conversation: its messages, and where it is scrolled to.

import { KEPT } from './model.js';
import { timeOf } from './id.js';
import { emptyOf } from './names.js';
import { $, avatar, clockTime, dayName, el, soon } from './dom.js';

const TOGETHER = 5 * 60_000; // messages of one person within this time share one header

export class Log {
  #me;
  #shown = null;      // the conversation
  #following = true;  // the reader is at the end, and wants to stay there
  #grown = false;     // since the end was last scrolled to
  #height = 0;        // as the observer saw it last
  #stale = false;     // what is drawn is not what is there; #redraw is on its way

  constructor(me) {
    this.#me = me;
    $('log').addEventListener('scroll', () => {
      // The end has moved away from the reader, and not the reader from the end.
      if (this.#following && (this.#grown || $('log').clientHeight !== this.#height)) return;
      this.#following = this.#atEnd();
      if (this.#following) $('to-newest').hidden = true;
    });
    $('to-newest').addEventListener('click', () => this.#toEnd());
    // Also when the keyboard of a phone opens, or what is above or below grows.
    new ResizeObserver(() => {
      this.#height = $('log').clientHeight;
      if (this.#following) this.#toEnd();
    }).observe($('log'));
  }

  // show opens a conversation, or draws it anew.
  show(conversation) {
    this.#shown = conversation;
    this.#stale = false;
    const list = $('messages');
    $('log').setAttribute('aria-busy', 'true'); // a whole conversation is not news to be read out
    list.replaceChildren();
    conversation.messages.forEach((m) => list.append(...this.#rows(m, this.#last())));
    $('log').removeAttribute('aria-busy');
    this.#describeEmpty();
    this.#toEnd();
  }

  // add draws a message that has just been applied to the model.
  add({ conversation, message, moved }) {
    if (conversation !== this.#shown) return;
    // It was drawn when it was sent, and its place is known only now, or it
    // belongs between others.
    this.#stale ||= moved;
    if (this.#stale) {
      this.#redraw();
      return;
    }
    $('messages').append(...this.#rows(message, this.#last()));
    // What the model has dropped goes from the page too.
    const oldest = conversation.messages[0].id;
    while ($('messages').firstChild.dataset.id !== oldest && conversation.messages.length === KEPT) $('messages').firstChild.remove();
    $('empty').hidden = true;
    if (message.from.id === this.#me.id) this.#following = true;
    this.#grown = true;
    this.#follow();
  }

  #redraw = soon(() => this.show(this.#shown));

  #follow = soon(() => {
    if (this.#following) this.#toEnd();
    else $('to-newest').hidden = false;
  });

  // #rows is a message as list items: itself, and before it the day when that changes.
  #rows(m, before) {
    const time = timeOf(m.id);
    const rows = [];
    const newDay = !before || new Date(before.time).toDateString() !== new Date(time).toDateString();
    if (newDay) rows.push(el('li', { class: 'day', 'aria-hidden': 'true' }, el('span', {}, dayName(time))));
    const mine = m.from.id === this.#me.id;
    const continued = !newDay && before.from === m.from.id && time - before.time < TOGETHER;
    rows.push(el('li', {
      class: ['message', mine && 'mine', continued && 'continued', m.pending && 'pending'].filter(Boolean).join(' '),
      dataset: { testid: 'message', id: m.id, from: m.from.name, fromId: m.from.id, time },
    },
    mine ? null : avatar(m.from),
    el('div', { class: 'bubble' },
      el('p', { class: 'message-head' },
        el('span', { class: 'message-from' }, mine ? 'You' : m.from.name),
        el('time', { datetime: new Date(time).toISOString() }, clockTime(time))),
      el('p', { class: 'message-text', dir: 'auto', dataset: { testid: 'message-text' } }, m.text),
      m.pending && el('p', { class: 'message-pending' }, 'Sent. Waiting for it on the stream.'))));
    return rows;
  }

  #last() {
    const last = $('messages').lastElementChild;
    return last && { from: last.dataset.fromId, time: Number(last.dataset.time) };
  }

  #describeEmpty() {
    $('empty').hidden = this.#shown.messages.length > 0;
    [$('empty-title').textContent, $('empty-text').textContent] = emptyOf(this.#shown);
  }

  #atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = $('log');
    return scrollHeight - scrollTop - clientHeight < 48;
  }

  #toEnd() {
    $('log').scrollTop = $('log').scrollHeight;
    $('to-newest').hidden = true;
    this.#following = true;
    this.#grown = false;
  }
}
