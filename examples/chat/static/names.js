// What conversations are called, and what is said about them.

import { LOBBY } from './model.js';

export function titleOf(c) {
  if (c.key === LOBBY) return 'Lobby';
  return c.room ? `#${c.room.name}` : c.peer.name;
}

export function subtitleOf(c) {
  if (c.key === LOBBY) return 'Everyone who is here';
  if (!c.room) return 'Only the two of you';
  const members = c.room.members.size;
  const here = [...c.room.members].filter((id) => c.room.here.has(id)).length;
  return members === 1 ? 'Only you so far' : `${members} members, ${here} here`;
}

// placeOf names a conversation in a sentence.
export function placeOf(c) { return c.key === LOBBY ? 'the lobby' : titleOf(c); }

// emptyOf returns a title and a text for a conversation without messages.
export function emptyOf(c) {
  if (c.key === LOBBY) {
    return ['Nobody has said anything yet',
      'What is written here reaches everyone, in the same order. To be somebody else as well, open a private window.'];
  }
  if (c.room) {
    return [`Nobody has said anything in ${titleOf(c)}`,
      'Only its members receive what is written here. Others become members by joining a room of this name.'];
  }
  return [`You and ${c.peer.name}`,
    'Only the two of you receive what is written here, in every tab that either has open.'];
}
