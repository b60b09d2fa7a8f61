// Server-Sent Events over an EventSource, where fetch cannot stream. It is
// closed at the first error: reconnecting is the stream's own business.

import type { Open } from "./transport.js";

const STREAM_EVENTS = ["stream.cursor", "stream.gap", "stream.filter", "stream.end"];

export const openEventSource: Open = (request, sink) => {
  const source = new EventSource(request.url(true), { withCredentials: request.init.credentials === "include" });
  let before = "";
  const hear = ({ type, data, lastEventId }: MessageEvent) => {
    // An event without an id shows that of the event before it.
    const id = lastEventId === before ? "" : lastEventId;
    before = lastEventId;
    sink.text(id, type, data);
  };
  const listen = (type: string) => source.addEventListener(type, hear); // once, however often it is added
  for (const type of [...STREAM_EVENTS, ...request.types]) listen(type);
  source.onerror = () => sink.lost({ opaque: !before });
  return { listen, close: () => source.close() };
};
