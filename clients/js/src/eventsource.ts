// Server-Sent Events over an EventSource, where fetch cannot stream. It is
// closed at the first error: reconnecting is the stream's own business.

import type { Open } from "./transport.js";

const STREAM_EVENTS = ["stream.cursor", "stream.gap", "stream.end"];

export const openEventSource: Open = (request, sink) => {
  const source = new EventSource(request.url(true), { withCredentials: request.init.credentials === "include" });
  let lastId = "";
  const listened = new Set<string>();
  const listen = (type: string) => {
    if (listened.has(type)) return;
    listened.add(type);
    source.addEventListener(type, (e) => {
      // An event without an id shows that of the event before it.
      const id = e.lastEventId === lastId ? "" : e.lastEventId;
      lastId = e.lastEventId;
      sink.text(id, type, e.data);
    });
  };
  for (const type of [...STREAM_EVENTS, ...request.types]) listen(type);
  source.onerror = () => sink.lost({ opaque: !lastId });
  return { listen, close: () => source.close() };
};
