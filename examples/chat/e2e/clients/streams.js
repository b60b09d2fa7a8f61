// The clients. Each opens a stream that comes back by itself, and emits
// 'message' with { id, event, data } for everything that it is given. 'trouble'
// comes with whether the client has been refused for good.

import { EventEmitter } from 'node:events';
import { EventSource as NpmEventSource } from 'eventsource';
import { Agent, EventSource as UndiciEventSource } from 'undici';
import WebSocket from 'ws';

const TYPES = [
  'chat.message.posted', 'chat.message.direct', 'presence.user.joined', 'presence.user.left', 'typing.user.started',
  'stream.cursor', 'stream.gap', 'stream.filter', 'stream.error', 'stream.end',
];

class Stream extends EventEmitter {
  close() {}

  // listen takes what an EventSource receives.
  listen(source) {
    for (const event of TYPES) {
      source.addEventListener(event, (e) => this.emit('message', { id: e.lastEventId, event, data: JSON.parse(e.data) }));
    }
    source.addEventListener('error', () => this.emit('trouble', source.readyState === source.CLOSED));
    this.close = () => source.close();
    return this;
  }
}

export function eventsource(url, cookie) {
  return new Stream().listen(new NpmEventSource(`${url}/events`, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Cookie: cookie } }),
  }));
}

export function undici(url, cookie) {
  const dispatcher = new Agent().compose((dispatch) => (options, handler) => (
    dispatch({ ...options, headers: { ...options.headers, cookie } }, handler)));
  return new Stream().listen(new UndiciEventSource(`${url}/events`, { node: { dispatcher } }));
}

// A WebSocket does not come back by itself: this is the whole of what a client
// has to do about that.
export function ws(url, cookie) {
  const stream = new Stream();
  let lastId = '';
  let timer;
  let socket;
  const connect = () => {
    socket = new WebSocket(`${url.replace('http', 'ws')}/ws?last_event_id=${lastId}`, { headers: { Cookie: cookie } });
    socket.on('message', (data) => {
      const message = JSON.parse(data);
      lastId = message.id ?? lastId;
      stream.emit('message', message);
    });
    socket.on('error', (err) => stream.emit('trouble', err.message.includes('401'))); // close follows
    socket.on('close', () => { timer = setTimeout(connect, 100); });
  };
  connect();
  stream.close = () => {
    clearTimeout(timer);
    socket.removeAllListeners('close');
    socket.close();
  };
  return stream;
}
