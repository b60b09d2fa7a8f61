import { fetchEventSource } from '@microsoft/fetch-event-source';
import PartySocket from 'partysocket/ws';
import { default as reactNative } from 'react-native-sse';
import ReconnectingEventSource from 'reconnecting-eventsource';
import ReconnectingWebSocket from 'reconnecting-websocket';
import RobustWebSocket from 'robust-websocket';
import Sockette from 'sockette';
import { SSE } from 'sse.js';
import { handOut, name, note, report, stream, TYPES } from './report.js';

const clients = {
  'EventSource': () => listen(new EventSource(stream())),

  'WebSocket': () => {
    let last = '', pause = 1000;
    const connect = () => {
      const ws = new WebSocket(`${stream()}&last_event_id=${last}`);
      ws.onmessage = (e) => {
        const m = JSON.parse(e.data);
        if (m.id) last = m.id;
        if (m.data?.retry) pause = m.data.retry;
        handOut(m.event, JSON.stringify(m.data));
      };
      ws.onclose = (e) => { if (e.code !== 1008) setTimeout(connect, pause); };
    };
    connect();
  },

  'fetch-event-source': () => fetchEventSource(stream(), {
    openWhenHidden: true,
    onopen: async (response) => {
      if (response.status === 401 || response.status === 204) throw new Final(response.status);
      if (!response.ok) throw new Error(response.status); // tried again
    },
    onmessage: (m) => handOut(m.event, m.data),
    onclose: () => { throw new Error('closed'); }, // else a clean end is the end
    onerror: (error) => { if (error instanceof Final) throw error; },
  }).catch((error) => report('gone', { text: String(error) })),

  'fetch-event-source plain': () => fetchEventSource(stream(), {
    openWhenHidden: true,
    onmessage: (m) => handOut(m.event, m.data),
  }).then(() => report('gone'), (error) => report('gone', { text: String(error) })),

  'sse.js': () => listen(new SSE(stream(), { autoReconnect: true, reconnectDelay: 1000 })),

  'reconnecting-eventsource': () => listen(new ReconnectingEventSource(stream())),

  'react-native-sse': () => {
    const EventSource = reactNative.default ?? reactNative;
    const source = new EventSource(stream());
    source.addEventListener('error', (e) => { // which it does not try again by itself
      if (e.xhrStatus === 0) setTimeout(() => source.open(), 1000);
    });
    listen(source);
  },

  'reconnecting-websocket': () => listenSocket((url) => new ReconnectingWebSocket(url)),
  'partysocket': () => listenSocket((url) => new PartySocket(url)),
  'robust-websocket': () => listenSocket((url) => new RobustWebSocket(url)),

  // Its address cannot be a function, but an object that makes a text.
  'sockette': () => {
    let last = '';
    Sockette({ toString: () => `${stream()}&last_event_id=${last}` }, {
      onmessage: (e) => {
        const m = JSON.parse(e.data);
        if (m.id) last = m.id;
        handOut(m.event, JSON.stringify(m.data));
      },
    });
  },
};

class Final extends Error {}

// listen hands out what anything like an EventSource does.
function listen(source) {
  for (const type of TYPES) source.addEventListener(type, (e) => handOut(type, e.data));
  source.addEventListener('message', (e) => handOut('message', e.data));
  source.addEventListener('error', (e) => note(`error ${e.message ?? ''} ${source.readyState ?? ''}`));
}

// listenSocket gives a WebSocket library its address as a function, so that
// every connection starts after the last id.
function listenSocket(open) {
  let last = '';
  const socket = open(() => `${stream()}&last_event_id=${last}`);
  socket.addEventListener('message', (e) => {
    const m = JSON.parse(e.data);
    if (m.id) last = m.id;
    handOut(m.event, JSON.stringify(m.data));
  });
}

clients[name]();
