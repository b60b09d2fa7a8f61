// Every client reads over a line that keeps breaking, and must have every
// message once, in order, and no gap.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CHAT, Person, until } from './chat.js';
import { Line } from './line.js';
import * as clients from './streams.js';

// After how many more bytes the line breaks: at once, before anything but the
// opening cursor has been heard; within the next frame; some frames later.
const CUTS = [0, 1, 90, 777];
const MESSAGES = 30; // written before each cut, and again while it happens

describe('clients', { concurrency: true }, () => {
  for (const [name, open] of Object.entries(clients)) {
    test(`${name} loses nothing and doubles nothing over a line that breaks`, { timeout: 60_000 }, () => survives(name, open));
    test(`${name} is not let in without a session`, { timeout: 20_000 }, () => isRefused(open));
  }
});

async function survives(name, open) {
  const line = await Line.to(CHAT);
  const reader = await Person.login(`Reader ${name}`);
  const writer = await Person.login(`Writer ${name}`);
  const stream = open(line.url, reader.cookie);
  const heard = { messages: [], cursors: 0, gaps: 0 };
  stream.on('message', ({ id, event, data }) => {
    if (event === 'stream.cursor') heard.cursors++;
    if (event === 'stream.gap') heard.gaps++;
    // Others write in the lobby, too.
    if (data.from?.name === writer.name) heard.messages.push(id);
  });

  const written = [];
  const write = async () => {
    for (let i = 0; i < MESSAGES; i++) {
      written.push(await writer.post(`message ${written.length}`, written.length % 2 ? reader.name : ''));
    }
  };
  const hasAll = () => heard.messages.at(-1) === written.at(-1);
  try {
    await until('the stream is open', stream, 'message', () => heard.cursors > 0);
    for (const [i, bytes] of CUTS.entries()) {
      line.cutAfter(bytes);
      await write();
      await until(`cut ${i} happens`, line, 'cut', () => line.cuts > i);
      await until(`the stream comes back after cut ${i}`, stream, 'message', hasAll);
      await write();
      await until('everything has arrived', stream, 'message', hasAll);
    }
    assert.ok(heard.cursors > CUTS.length, `${heard.cursors} streams have been opened, after ${CUTS.length} cuts`);
    assert.equal(heard.gaps, 0, 'gaps');
    assert.equal(written.length, 2 * MESSAGES * CUTS.length);
    const count = { written: written.length, lost: 0, doubled: 0 };
    for (const id of written) {
      const times = heard.messages.filter((m) => m === id).length;
      count.lost += times === 0;
      count.doubled += Math.max(0, times - 1);
    }
    assert.deepEqual(count, { written: written.length, lost: 0, doubled: 0 });
    assert.deepEqual(heard.messages, written, 'the order');
  } finally {
    stream.close();
    line.close();
  }
}

async function isRefused(open) {
  const stream = open(CHAT, 'crier_chat=forged');
  const heard = [];
  stream.on('message', (m) => heard.push(m));
  const final = await new Promise((resolve) => { stream.on('trouble', resolve); });
  stream.close();
  assert.ok(final, 'it is told that trying again is of no use');
  assert.deepEqual(heard, []);
}
