// The adapter of npm's eventsource for the conformance cases of Crier. What such
// an adapter reads and writes: see the package comment of ../../doc.go.

import { createInterface } from 'node:readline';
import { EventSource } from 'eventsource';

const say = (report) => process.stdout.write(`${JSON.stringify(report)}\n`);
let source;

function connect({ sse, types, last_event_id: lastId, categories, tokens }) {
  const url = new URL(sse);
  if (lastId) url.searchParams.set('last_event_id', lastId);
  if (categories) url.searchParams.set('categories', categories.join());
  const headers = tokens ? { Authorization: `Bearer ${tokens[0]}` } : {};
  source = new EventSource(url, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
  });
  const handlers = {
    'stream.cursor': () => {},
    'stream.gap': (e) => say({ report: 'gap', reason: JSON.parse(e.data).reason }),
    'stream.end': (e) => say({ report: 'end', reason: JSON.parse(e.data).reason }),
  };
  for (const type of types) {
    if (type.startsWith('stream.')) continue;
    handlers[type] = (e) => say({ report: 'event', id: e.lastEventId, type, data: parse(e.data) });
  }
  for (const [type, handler] of Object.entries(handlers)) source.addEventListener(type, handler);
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) say({ report: 'stopped' });
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

say({ report: 'hello', transports: ['sse'] });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.do === 'connect') connect(command);
  if (command.do === 'close') source?.close();
}
source?.close();
