// The clients that are scripts. Those that have a recipe run it.
import { fetchEventSource } from '@microsoft/fetch-event-source';
import PartySocket from 'partysocket/ws';
import ReconnectingEventSource from 'reconnecting-eventsource';
import RobustWebSocket from 'robust-websocket';
import { follow as followFetch } from '../recipes/fetch-event-source.js';
import { follow as followReactNative } from '../recipes/react-native-sse.js';
import { follow as followReconnecting } from '../recipes/reconnecting-websocket.js';
import { follow as followSockette } from '../recipes/sockette.js';
import { follow as followSSE } from '../recipes/sse.js';
import { follow as followWebSocket } from '../recipes/websocket.js';
import { handOut, name, note, report, stream, TYPES } from './report.js';

const address = (last) => `${stream()}&last_event_id=${last}`;
const gone = (error) => report('gone', { text: String(error ?? '') });

const clients = {
  'EventSource': () => listen(new EventSource(stream())),
  'reconnecting-eventsource': () => listen(new ReconnectingEventSource(stream())),
  'sse.js': () => followSSE(stream(), [...TYPES, 'message'], handOut),
  'react-native-sse': () => followReactNative(stream(), [...TYPES, 'message'], handOut),
  'fetch-event-source': () => followFetch(stream(), handOut).then(gone, gone),

  // As its README has it, without the recipe.
  'fetch-event-source plain': () => fetchEventSource(stream(), {
    openWhenHidden: true,
    onmessage: (m) => handOut(m.event, m.data),
  }).then(gone, gone),

  'WebSocket': () => followWebSocket(address, handOut),
  'reconnecting-websocket': () => followReconnecting(address, handOut),
  'sockette': () => followSockette(address, handOut),

  // These two take a function as reconnecting-websocket does.
  'partysocket': () => listenSocket((url) => new PartySocket(url)),
  'robust-websocket': () => listenSocket((url) => new RobustWebSocket(url)),
};

// listen hands out what anything like an EventSource does.
function listen(source) {
  for (const type of TYPES) source.addEventListener(type, (e) => handOut(type, e.data));
  source.addEventListener('message', (e) => handOut('message', e.data));
  source.addEventListener('error', (e) => note(`error ${e.message ?? ''} ${source.readyState ?? ''}`));
}

function listenSocket(open) {
  let last = '';
  const socket = open(() => address(last));
  socket.addEventListener('message', (e) => {
    const m = JSON.parse(e.data);
    if (m.id) last = m.id;
    handOut(m.event, JSON.stringify(m.data));
  });
}

clients[name]();
