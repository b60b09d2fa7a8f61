// The chat page: it joins the model, the views and the stream.

import { Composer } from './composer.js';
import { Connection } from './connection.js';
import { $, soon } from './dom.js';
import { closeDrawers, setUpDrawers } from './drawers.js';
import { Live, sameTopics } from './live.js';
import { Log } from './log.js';
import { LOBBY, Model, roomKey, roomOf } from './model.js';
import { placeOf, subtitleOf, titleOf } from './names.js';
import { Rooms } from './rooms.js';
import { Sidebar } from './sidebar.js';

const CUT = 5000;   // ms that a pulled plug stays out
const AGAIN = 3000; // ms until the state is asked for again, where nothing goes on without it

// The application's event types, with the categories that they belong to.
const TYPES = {
  'chat.message.posted': 'chat',
  'chat.message.direct': 'chat',
  'chat.message.room': 'chat',
  'presence.user.joined': 'presence',
  'presence.user.left': 'presence',
  'presence.room.joined': 'presence',
  'presence.room.left': 'presence',
  'presence.room.changed': 'presence',
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
const rooms = new Rooms(model, { open, join, leave });
const composer = new Composer({ send, typing });
let current = model.conversation(LOBBY);
let categories = CATEGORIES.map((c) => c.name);
let offline = false;
let leaving = null; // the room that is being left in this tab

const live = new Live({
  transport: sessionStorage.getItem('transport') ?? 'auto',
  shared: sessionStorage.getItem('shared') === 'true',
  user: state.me.id,
  cursor: state.cursor,
  categories,
  topics: model.topics,
  types: TYPES,
  clockOffset: state.now - (performance.timeOrigin + performance.getEntriesByType('navigation')[0].responseStart),
  on: {
    message: received,
    // What was written in a room before the stream followed it is in the state only.
    settled(added) { if (stale || added || !sameTopics(live.topics, model.topics)) readState(); },
    refused: readState,
    status(s) {
      connection.show(s);
      offline = ['cut', 'retrying', 'ended'].includes(s.state);
      showPaused();
    },
    // Our own arrival is announced because this stream was opened.
    caused: (m) => ['presence.user.joined', 'presence.room.changed'].includes(m.event) && m.data.user.id === model.me.id,
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
    count(change);
    log.add(change);
  }
  if (change.kind === 'typing') setTimeout(showTyping, 4100);
  if (change.kind === 'rooms') followRooms();
  if (change.kind === 'stranger') readState();
  showSoon();
}

// count notes a message that its reader has not seen.
function count({ conversation, message }) {
  if (message.from.id !== model.me.id && (conversation !== current || document.hidden)) conversation.unread++;
}

function show() {
  sidebar.render(current);
  rooms.render(current);
  if ($('subtitle').textContent !== subtitleOf(current)) $('subtitle').textContent = subtitleOf(current);
  showTyping();
}

const showSoon = soon(show);

// readState asks the server for its state and takes it in. Events that arrive
// meanwhile wait and are applied on top: the state may be older than they are.
// It is needed after a gap, when a category is wanted again, and when the rooms
// that this user is in have changed.
let reads = 0;
let reading; // the latest of them
function readState() {
  return (reading = readNow(++reads));
}

async function readNow(read) {
  stale = true;
  waiting ??= [];
  const answer = await fetch('/state', { cache: 'no-store' }).catch(() => null);
  const fresh = answer?.ok ? await answer.json().catch(() => null) : null;
  if (read !== reads) return reading; // it does what this one would
  const held = waiting;
  waiting = null;
  // Somebody else has logged in with this browser meanwhile: this page is over.
  if (fresh && fresh.me.id !== model.me.id) return location.reload();
  if (fresh) {
    stale = false; // else the next time that the stream settles
    const shown = drawn(current);
    model.load(fresh).forEach(count);
    followRooms();
    if (drawn(current) !== shown) log.show(current);
    connection.reread();
  } else if (live.refused) {
    if (answer?.status === 401) live.end();
    else setTimeout(readState, AGAIN);
  }
  held.forEach(apply);
  show();
}

// drawn tells states of a conversation apart that look different.
const drawn = (c) => c.messages.map((m) => (m.pending ? `${m.id}?` : m.id)).join();

// followRooms makes the stream follow the rooms that this user is in now. If the open
// one is no longer among them, the lobby is opened.
function followRooms() {
  live.follow(model.topics);
  if (model.conversations.get(current.key) === current) return;
  if (model.conversations.has(current.key)) return open(current.key); // left and joined again
  const left = titleOf(current);
  const byUser = current.key === leaving;
  open(LOBBY);
  if (byUser) return;
  composer.blur(); // what is being typed was not meant for the lobby
  $('put-out').hidden = false;
  $('put-out-title').textContent = `You are no longer in ${left}.`;
}

// ---- what the user does

function open(key) {
  if (roomOf(key) !== null && !model.conversations.has(key)) return; // was left a moment ago
  current = model.conversation(key);
  current.unread = 0;
  $('title').textContent = titleOf(current);
  $('put-out').hidden = true;
  document.body.dataset.conversation = key;
  log.show(current);
  composer.open(key, placeOf(current));
  show();
  closeDrawers();
  if (matchMedia('(hover: hover)').matches) composer.focus(); // not where that opens a keyboard
}

// join makes this user a member of a room, and opens it. What the state says counts
// and not the answer, since the user may have left the room in another tab meanwhile.
async function join(name) {
  const { name: joined } = await ask('POST', roomPath(name));
  await readState();
  const key = roomKey(joined);
  if (model.conversations.has(key)) open(key);
  else if (stale) throw new Error(`You are in #${joined}. It will be shown when the server can be reached again.`);
}

async function leave({ key, room }) {
  leaving = key;
  try {
    await ask('DELETE', roomPath(room.name)).catch((err) => { if (err.status !== 403) throw err; }); // 403: it was left before
    await readState();
  } catch (err) {
    composer.error(err.message);
  } finally {
    leaving = null;
  }
}

// A path cannot end with a segment of one dot or two; as no name at all, they are
// answered with the rule for names.
const roomPath = (name) => `/rooms/${/^\.{1,2}$/.test(name) ? '' : encodeURIComponent(name)}`;

// A message goes by POST on both transports: the answer says whether it was
// accepted, and with which id. It also works while the plug is out.
async function send(key, text) {
  let body;
  try {
    body = await ask('POST', '/messages', { text, ...target(key) });
  } catch (err) {
    if (err.status === 401) throw new Error('You are logged out. Log in again to send this.');
    if (err.status === 403 && roomOf(key) !== null) readState();
    throw err.status ? err : new Error(`${err.message} Your text is still here.`);
  }
  const change = model.sent(body.id, key, text);
  if (change) log.add(change);
  showSoon();
}

// A sign of typing needs no answer, so it takes the socket where there is one.
function typing(key) {
  const to = target(key);
  if (!live.send({ typing: true, ...to })) ask('POST', '/typing', to).catch(() => {});
}

// target says to the server where something is written.
function target(key) {
  if (key === LOBBY) return {};
  return roomOf(key) === null ? { to: model.people.get(key).name } : { room: roomOf(key) };
}

// ask makes a request, and returns what the server answers. An error says what to
// tell the user, and has the status of the answer if there was one.
async function ask(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: body && { 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(15_000),
  }).catch(() => { throw new Error('The server cannot be reached.'); });
  const answered = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(answered.error ?? `The server answered ${answer.status}.`), { status: answer.status });
  return answered;
}

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

// showPaused tells that the lists of people may be out of date.
function showPaused() {
  sidebar.paused = rooms.paused = offline || !categories.includes('presence');
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden || !current.unread) return;
  current.unread = 0;
  sidebar.render(current);
});

$('put-out-close').addEventListener('click', () => { $('put-out').hidden = true; });
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
