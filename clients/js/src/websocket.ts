// WebSocket: one JSON object per text message.

import type { Failure, Open } from "./transport.js";

export const openWS: Open = (request, sink) => {
  const url = new URL(request.url(true));
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  let opened = false;
  socket.onmessage = ({ data }) => {
    opened = true;
    let message: { id?: unknown; event?: unknown; data?: unknown } | null = null;
    try {
      message = JSON.parse(data);
    } catch {
      // told below
    }
    const { id, event } = message ?? {};
    if (typeof event === "string") sink.message(typeof id === "string" ? id : "", event, message?.data);
    else sink.problem({ kind: "bad-frame", message: `crier: no event: ${data}`.slice(0, 99) });
  };
  socket.onclose = ({ code, reason }) => sink.lost(opened ? meaning(code, reason) : { opaque: true });
  return {
    send(message) {
      if (socket.readyState !== 1) return false;
      socket.send(JSON.stringify(message));
      return true;
    },
    close() {
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
    },
  };
};

// meaning says what a close code asks for. Where the server has sent stream.end
// before it, that decided already. The reason that comes with 1008 is "revoked",
// "expired", or what rule was broken.
const meaning = (code: number, reason: string): Failure =>
  code === 1013
    ? { reason: "overloaded", after: 30_000 * (1 + Math.random()) }
    : { reason: code === 1008 && reason ? reason : code === 1001 || code === 1012 ? "shutdown" : /100[23789]/.test(String(code)) ? "abusive" : "gone" };
