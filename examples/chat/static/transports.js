// The two transports behind one small interface, so that nothing else in the
// page knows which of them is in use. Each function opens one connection,
// reports it through `on`, and returns { send, close }:
//
//   on.message({ id, event, data })  something arrived; id is absent on stream.error
//   on.lost({ browserRetries })      the connection is gone; on SSE the browser may
//                                    already be on its way back by itself
//
// After close() nothing is reported any more.

export function openSSE(url, types, on) {
  const source = new EventSource(url);
  // A named event only reaches a listener of that name: there is no listener
  // for all of them, so the page names every type it wants to know of.
  for (const event of types) {
    source.addEventListener(event, (e) => {
      on.message({ id: e.lastEventId, event, data: JSON.parse(e.data) });
    });
  }
  // CONNECTING: the browser reconnects by itself, after the `retry:` it was told
  // and with the Last-Event-ID header. CLOSED: it was refused, and gave up for good.
  source.onerror = () => on.lost({ browserRetries: source.readyState === EventSource.CONNECTING });
  return {
    send: () => false, // one way only: the caller posts instead
    close: () => source.close(),
  };
}

export function openWS(url, on) {
  const address = new URL(url, location.href);
  address.protocol = address.protocol.replace('http', 'ws');
  const socket = new WebSocket(address);
  socket.onmessage = (e) => on.message(JSON.parse(e.data));
  socket.onclose = () => on.lost({ browserRetries: false });
  return {
    send(message) {
      if (socket.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(message));
      return true;
    },
    close() {
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
    },
  };
}
