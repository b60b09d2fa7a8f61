// address is a function of the last id, as
// (last) => `wss://app.example.com/ws?last_event_id=${last}`.
export function follow(address, handle) {
  let last = '', pause = 3000;
  const connect = () => {
    const ws = new WebSocket(address(last));
    ws.onmessage = (e) => {
      const m = JSON.parse(e.data);
      if (m.id) last = m.id;
      if (m.data?.retry) pause = m.data.retry; // stream.cursor and stream.end say so
      handle(m.event, JSON.stringify(m.data));
    };
    ws.onclose = (e) => {
      if (e.code !== 1008) setTimeout(connect, pause * (1 + Math.random())); // 1008: revoked
    };
  };
  connect();
}
