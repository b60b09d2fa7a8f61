// Clients in Node: node node.mjs NAME URL
import { EventSource } from 'eventsource';
import { createEventSource } from 'eventsource-client';
import { EventSource as UndiciEventSource } from 'undici';
import WebSocket from 'ws';

const [name, url] = process.argv.slice(2);
const report = (what, more = {}) => console.log(JSON.stringify({ what, ...more }));
const TYPES = ['wild.counted', 'stream.cursor', 'stream.gap', 'stream.end'];

function handOut(type, data) {
  switch (type) {
    case 'wild.counted': {
      const { n, text } = JSON.parse(data);
      if (text !== 'naïve ✓') report('blank', { text });
      report('event', { n });
      break;
    }
    case 'stream.cursor': report('cursor'); break;
    case 'stream.gap': report('gap', { text: data }); break;
    case 'stream.end': report('end', { text: data }); break;
    default: report('blank', { text: `${type} ${data}` });
  }
}

function listen(source) {
  for (const type of TYPES) source.addEventListener(type, (e) => handOut(type, e.data));
  source.addEventListener('message', (e) => handOut('message', e.data));
  source.addEventListener('error', (e) => report('note', { text: `error ${e.message ?? ''} ${source.readyState}` }));
  setInterval(() => {}, 60_000); // a client that gives up does not end the process
}

const clients = {
  'eventsource': () => listen(new EventSource(url)),
  'undici': () => listen(new UndiciEventSource(url)),
  'eventsource-client': () => createEventSource({ url, onMessage: (m) => handOut(m.event, m.data) }),
  'ws': () => {
    let last = '', pause = 1000;
    const connect = () => {
      const ws = new WebSocket(`${url}&last_event_id=${last}`);
      ws.on('message', (b) => {
        const m = JSON.parse(b);
        if (m.id) last = m.id;
        if (m.data?.retry) pause = m.data.retry;
        handOut(m.event, JSON.stringify(m.data));
      });
      ws.on('error', (e) => report('note', { text: e.message }));
      ws.on('close', () => setTimeout(connect, pause));
    };
    connect();
  },
};
clients[name]();
