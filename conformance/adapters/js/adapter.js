// The adapter of clients/js for the conformance cases of Crier. What such an
// adapter reads and writes: see the package comment of ../../doc.go. The client's
// module is the first argument; a module that exports WebSocket, for a Node that
// has none of its own (before 22), the second.

import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { connect } = await import(pathToFileURL(process.argv[2]));
if (process.argv[3]) {
  const { WebSocket } = await import(pathToFileURL(process.argv[3]));
  // An error without a listener would end the process, unlike a browser's.
  globalThis.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.on('error', () => {});
    }
  };
}

const say = (report) => process.stdout.write(`${JSON.stringify(report)}\n`);
let stream;

function open({ transport, sse, ws, types, last_event_id: from, categories, topics, heartbeat, tokens }) {
  let asked = 0;
  stream = connect(sse, {
    ws, from, categories, topics, heartbeat,
    transports: [transport],
    types: types.filter((type) => !type.startsWith('stream.')),
    token: tokens && ((refused) => {
      if (refused !== undefined) asked++;
      return tokens[Math.min(asked, tokens.length - 1)];
    }),
  });
  for (const type of types) {
    if (!type.startsWith('stream.')) stream.on(type, ({ id, data }) => say({ report: 'event', id, type, data }));
  }
  stream.onGap((reason) => say({ report: 'gap', reason }));
  stream.onFilter(({ categories, topics }) => say({ report: 'filter', categories, topics }));
  stream.onEnd((reason) => say({ report: 'end', reason }));
  stream.onError(({ kind, message }) => {
    if (kind === 'rejected') say({ report: 'error', message });
    else console.error(kind, message);
  });
  stream.onStatus(({ state, reason }) => {
    if (state === 'ended') say({ report: 'stopped', message: reason });
  });
}

say({ report: 'hello', transports: globalThis.WebSocket ? ['sse', 'ws'] : ['sse'] });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.do === 'connect') open(command);
  if (command.do === 'filter') stream.filter({ categories: command.categories, topics: command.topics });
  if (command.do === 'close') stream.close();
}
stream?.close();
