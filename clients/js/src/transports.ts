import { openEventSource } from "./eventsource.js";
import { openPoll } from "./poll.js";
import { openSSE } from "./sse.js";
import type { Open } from "./transport.js";
import type { Options, TransportName } from "./types.js";
import { openWS } from "./websocket.js";

export const opening: Record<TransportName, Open> = {
  // Where there are streams, fetch has them: a body that is missing counts as blocked.
  sse: (request, sink) => (globalThis.ReadableStream ? openSSE : openEventSource)(request, sink),
  ws: openWS,
  poll: openPoll,
};

/** The transports that can be used here, in order. */
export function usable({ ws, poll, transports = ["sse", "ws", "poll"] }: Options): TransportName[] {
  const names = transports.filter(
    (name) => name === "sse" || (name === "ws" && ws && typeof WebSocket === "function") || (name === "poll" && poll),
  );
  if (!names.length) throw new TypeError(`crier: ${transports} cannot be used; ws and poll need URLs`);
  return names;
}
