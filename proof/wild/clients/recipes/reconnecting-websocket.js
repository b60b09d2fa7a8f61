import ReconnectingWebSocket from 'reconnecting-websocket';

export function follow(address, handle) {
  let last = '';
  const ws = new ReconnectingWebSocket(() => address(last)); // asked for every connection
  ws.addEventListener('message', (e) => {
    const m = JSON.parse(e.data);
    if (m.id) last = m.id;
    handle(m.event, JSON.stringify(m.data));
  });
  ws.addEventListener('close', (e) => { if (e.code === 1008) ws.close(); }); // revoked
}
