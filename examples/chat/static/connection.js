// What the page shows about its connection: the status line, the notices and
// the last frames on the wire.

import { $, el } from './dom.js';

const TRANSPORTS = { sse: 'SSE', ws: 'WebSocket' };
const STATES = { connecting: 'Connecting', open: 'Open', cut: 'Cut by you', retrying: 'Retrying', ended: 'Ended', closed: 'Closed' };

const REASONS = {
  gone: 'the connection broke',
  slow: 'this client was too slow',
  abusive: 'this client broke the rules of the stream',
  revoked: 'the session was logged out',
  expired: 'the session has expired',
  overloaded: 'the server has too many streams',
  unavailable: 'the server cannot check the session just now',
  shutdown: 'the server is shutting down',
  unauthenticated: 'the server does not know this session',
  forbidden: 'the server does not allow this',
  silent: 'nothing was heard for too long',
  blocked: 'this transport does not get through',
  refused: 'the server answered with an error',
};

const GAPS = {
  evicted: 'The server keeps a limited number of events, and some that this page had not received are no longer among them.',
  unknown: 'The server does not know where this page had got to. It has crashed, or this page was away for too long.',
};

const WIRE_ROWS = 40;

export class Connection {
  #status = {};

  constructor() {
    $('gap-close').addEventListener('click', () => { $('gap').hidden = true; });
    setInterval(() => this.#countdown(), 250);
  }

  show(status) {
    this.#status = status;
    const { state, transport, lastId, replayed, reason } = status;
    const total = sum(replayed);
    Object.assign($('status').dataset, {
      state, transport, lastId, reason: reason ?? '', replayed: total, replayedMessages: replayed.chat ?? 0,
    });
    const text = STATES[state] + (reason && state !== 'ended' ? `: ${REASONS[reason] ?? reason}` : '');
    // Written only when it changes: it is read out.
    if ($('status-state').textContent !== text) $('status-state').textContent = text;
    $('status-transport').textContent = TRANSPORTS[transport];
    $('status-replayed').textContent = describeReplayed(replayed, total);
    $('status-replayed').title = 'Events that happened before this stream was open, and that it brought afterwards.';
    $('status-last-id').textContent = lastId;
    $('status-last-id').title = lastId;
    this.#countdown();
    this.#ended(state, reason);
  }

  // gap tells of events that are lost to this stream; reread, when the page has
  // been filled again from the server's state.
  gap(reason) {
    $('gap').hidden = false;
    $('gap').dataset.reason = reason;
    $('gap').dataset.reread = 'false';
    $('gap-title').textContent = 'There is a gap in this stream.';
    $('gap-text').textContent = `${GAPS[reason] ?? reason} Reading everything again…`;
  }

  reread() {
    if ($('gap').hidden || $('gap').dataset.reread === 'true') return;
    $('gap').dataset.reread = 'true';
    $('gap-text').textContent = `${GAPS[$('gap').dataset.reason] ?? ''} The messages, the rooms and who is online have been read again from the server.`;
  }

  // frame adds one line to the list of what came over the wire.
  frame({ id, event, data, replayed }) {
    const kind = event.startsWith('stream.') ? 'control' : replayed ? 'replayed' : '';
    const row = el('li', { class: `frame ${kind}`, dataset: { event }, title: JSON.stringify({ id, event, data }) },
      el('span', { class: 'frame-event' }, event),
      replayed && el('span', { class: 'hidden' }, 'replayed'),
      el('code', { class: 'frame-id' }, id ? `…${id.slice(-6)}` : ''));
    $('wire').prepend(row);
    while ($('wire').children.length > WIRE_ROWS) $('wire').lastChild.remove();
  }

  // categories draws the check boxes; changed(chosen) is called with what remains
  // checked. The last one cannot be taken off: a stream that hears nothing is not
  // a stream.
  categories(all, changed) {
    const boxes = all.map(({ name, describes }) => el('input', {
      type: 'checkbox', value: name, checked: '', id: `category-${name}`, dataset: { testid: `category-${name}` }, 'aria-describedby': `about-${name}`,
    }));
    const update = () => {
      const chosen = boxes.filter((b) => b.checked);
      boxes.forEach((b) => { b.disabled = chosen.length === 1 && b.checked; });
      changed(chosen.map((b) => b.value));
    };
    boxes.forEach((box, i) => {
      box.addEventListener('change', update);
      $('categories').append(el('div', { class: 'check' }, box,
        el('label', { for: box.id }, all[i].name),
        el('span', { class: 'check-note', id: `about-${all[i].name}` }, all[i].describes)));
    });
  }

  #countdown() {
    const { state, until } = this.#status;
    const left = until ? Math.max(0, Math.ceil((until - Date.now()) / 1000)) : null;
    $('status-countdown').textContent = left === null ? '' : state === 'cut' ? `back in ${left} s` : `again in ${left} s`;
    $('plug').dataset.state = state === 'cut' ? 'cut' : 'in';
    $('plug').disabled = state === 'ended';
    $('plug-text').textContent = state === 'cut' ? `Plug it back in (${left})` : 'Pull the plug';
  }

  #ended(state, reason) {
    $('ended').hidden = state !== 'ended';
    if (state === 'ended') $('ended-text').textContent = `${capital(REASONS[reason] ?? reason)}. What you see stays as it is until you log in again.`;
  }
}

function describeReplayed(byCategory, total) {
  if (total === 0) return 'nothing replayed';
  const { chat = 0, ...others } = byCategory;
  const parts = [];
  if (chat) parts.push(`${chat} ${chat === 1 ? 'message' : 'messages'}`);
  for (const [category, n] of Object.entries(others)) parts.push(`${n} ${category}`);
  return `${total} replayed: ${parts.join(', ')}`;
}

const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);
const capital = (s) => s[0].toUpperCase() + s.slice(1);
