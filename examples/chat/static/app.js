// The chat page: it joins the model, the views and the stream.

import { Composer } from './composer.js';
import { Connection } from './connection.js';
import { $, soon } from './dom.js';
import { closeDrawers, setUpDrawers } from './drawers.js';
import { Live } from './live.js';
import { Log } from './log.js';
import { LOBBY, Model } from './model.js';
import { Sidebar } from './sidebar.js';

const CUT = 5000; // ms that a pulled plug stays out

// The application's event types, with the categories that they belong to.
const TYPES = {
  'chat.message.posted': 'chat',
  'chat.message.direct': 'chat',
  'presence.user.joined': 'presence',
  'presence.user.left': 'presence',
  'typing.user.started': 'typing',
};
const CATEGORIES = [
  { name: 'chat', describes: 'messages' },
  { name: 'presence', describes: 'who comes and goes' },
  { name: 'typing', describes: 'never replayed' },
];

// The server put its state into the page, with the cursor it took before it
// read that state. The stream starts at that cursor, so nothing falls between
// the two; what is in both is recognised by its id.
const state = JSON.parse($('state').textContent);
const model = new Model(state.me);
model.load(state);

const log = new Log(state.me);
const connection = new Connection();
const sidebar = new Sidebar(model, open);
const composer = new Composer({ send, typing });
let current = model.conversation(LOBBY);
let categories = CATEGORIES.map((c) => c.name);
let offline = false;

const live = new Live({
  transport: sessionStorage.getItem('transport') ?? 'auto',
  shared: sessionStorage.getItem('shared') === 'true',
  user: state.me.id,
  cursor: state.cursor,
  categories,
  types: TYPES,
  clockOffset: state.now - (performance.timeOrigin + performance.getEntriesByType('navigation')[0].responseStart),
  on: {
    message: received,
    settled() { if (stale) readState(); },
    status(s) {
      connection.show(s);
      offline = ['cut', 'retrying', 'ended'].includes(s.state);
      showPaused();
    },
    // Our own arrival is announced because this stream was opened.
    caused: (m) => m.event === 'presence.user.joined' && m.data.user.id === model.me.id,
  },
});

// ---- what arrives

let stale = false;  // the page may lack something that the stream will not bring
let waiting = null; // events that arrive while the state is being read

function received(message) {
  connection.frame(message);
  if (message.event === 'stream.gap') {
    connection.gap(message.data.reason);
    readState();
  } else if (message.event === 'stream.error') {
    composer.error(message.data.error);
  } else if (waiting) {
    waiting.push(message);
  } else {
    apply(message);
  }
}

function apply(message) {
  const change = model.apply(message);
  if (!change) return;
  if (change.kind === 'message') {
    if (change.message.from.id !== model.me.id && (change.conversation !== current || document.hidden)) change.conversation.unread++;
    log.add(change);
  }
  if (change.kind === 'typing') setTimeout(showTyping, 4100);
  showSoon();
}

const showSoon = soon(() => {
  sidebar.render(current);
  showTyping();
});

// readState asks the server for its state and takes it in. Events that arrive
// meanwhile wait and are applied on top: the state may be older than they are.
// It is needed after a gap, and when a category is wanted again.
let reads = 0;
async function readState() {
  const read = ++reads;
  stale = true;
  waiting ??= [];
  const answer = await fetch('/state', { cache: 'no-store' }).catch(() => null);
  const fresh = answer?.ok ? await answer.json().catch(() => null) : null;
  if (read !== reads) return; // a later one is under way, and will do what this one would
  const held = waiting;
  waiting = null;
  // Somebody else has logged in with this browser meanwhile: this page is over.
  if (fresh && fresh.me.id !== model.me.id) return location.reload();
  if (fresh) {
    stale = false; // else the next time that the stream settles
    model.load(fresh);
    log.show(current);
    connection.reread();
  }
  held.forEach(apply);
  sidebar.render(current);
}

// ---- what the user does

function open(key) {
  current = model.conversation(key);
  current.unread = 0;
  const name = key === LOBBY ? 'the lobby' : current.peer.name;
  $('title').textContent = key === LOBBY ? 'Lobby' : current.peer.name;
  $('subtitle').textContent = key === LOBBY ? 'Everyone who is here' : 'Only the two of you';
  document.body.dataset.conversation = key;
  log.show(current);
  composer.open(key, name);
  sidebar.render(current);
  showTyping();
  closeDrawers();
  if (matchMedia('(hover: hover)').matches) composer.focus(); // not where that opens a keyboard
}

// A message goes by POST on both transports: the answer says whether it was
// accepted, and with which id. It also works while the plug is out.
async function send(key, text) {
  const answer = await post('/messages', { text, to: recipient(key) }, AbortSignal.timeout(15_000))
    .catch(() => { throw new Error('The server cannot be reached. Your text is still here.'); });
  if (answer.status === 401) throw new Error('You are logged out. Log in again to send this.');
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? `The server answered ${answer.status}.`);
  const change = model.sent(body.id, key, text);
  if (change) log.add(change);
  showSoon();
}

// A sign of typing needs no answer, so it takes the socket where there is one.
function typing(key) {
  const to = recipient(key);
  if (!live.send({ typing: true, to })) post('/typing', { to }).catch(() => {});
}

const recipient = (key) => (key === LOBBY ? '' : model.conversation(key).peer.name);

const post = (path, body, signal) => fetch(path, {
  method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal,
});

function showTyping() {
  const names = model.typists(current.key);
  const text = names.length === 0 ? ''
    : names.length === 1 ? `${names[0]} is typing`
    : names.length === 2 ? `${names[0]} and ${names[1]} are typing`
    : `${names.length} people are typing`;
  if ($('typing').textContent !== text) $('typing').textContent = text;
}

function filter(chosen) {
  // What happened in a category while it was off is behind the last id, so the
  // stream will not bring it: the state is read once the stream hears it.
  stale ||= chosen.some((c) => !categories.includes(c));
  categories = chosen;
  showPaused();
  live.filter(chosen);
}

// showPaused tells that the list of people may be out of date.
function showPaused() {
  sidebar.paused = offline || !categories.includes('presence');
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden || !current.unread) return;
  current.unread = 0;
  sidebar.render(current);
});

$('plug').addEventListener('click', () => (live.status.state === 'cut' ? live.plugIn() : live.cut(CUT)));

for (const radio of document.getElementsByName('transport')) {
  radio.checked = radio.value === (sessionStorage.getItem('transport') ?? 'auto');
  radio.addEventListener('change', () => {
    sessionStorage.setItem('transport', radio.value); // this tab's, also after a reload
    live.use({ transport: radio.value });
  });
}

$('shared').checked = sessionStorage.getItem('shared') === 'true';
$('shared').addEventListener('change', () => {
  sessionStorage.setItem('shared', $('shared').checked);
  live.use({ shared: $('shared').checked });
});

connection.categories(CATEGORIES, filter);
setUpDrawers();
open(LOBBY);
