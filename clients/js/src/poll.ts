// Long-polling: each answer is
//
//	{"events": [{"id": "...", "event": "...", "data": ...}, ...], "cursor": "...", "retry": 3000}
//
// It is taken as a whole or not at all, so an answer that breaks off loses and
// doubles nothing: the next request starts at the same cursor.

import { notAStream, type Open, refusal } from "./transport.js";

/** Milliseconds from one request to the next, if the answer brought nothing. */
const AT_LEAST = 500;
/** Milliseconds after which a request that has no answer seems to be held. */
const HELD = 2000;

interface Answer {
  events?: { id?: string; event: string; data: unknown }[];
  cursor?: string;
  retry?: number;
}

export const openPoll: Open = (request, sink) => {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout>;
  const poll = async () => {
    const started = performance.now();
    const before = request.url();
    timer = setTimeout(sink.held, HELD);
    const answer = await fetch(before, { ...request.init, signal: abort.signal });
    clearTimeout(timer);
    const failure = await refusal(answer, "application/json");
    if (failure) return sink.lost(failure);
    const { events, cursor, retry }: Answer = await answer.json();
    if (!Array.isArray(events)) return sink.lost(notAStream(answer, "JSON without events"));
    if (retry) sink.retry(retry);
    for (const { id = "", event, data } of events) sink.message(id, event, data);
    if (cursor) sink.message(cursor, "stream.cursor", {});
    // A server that keeps answering without getting on must not be hammered.
    const pause = events.length && request.url() !== before ? 0 : AT_LEAST - (performance.now() - started);
    if (!abort.signal.aborted) timer = setTimeout(next, pause);
  };
  const next = () => poll().catch(() => sink.lost({}));
  request.url(); // throws here if it is none
  next();
  return {
    close() {
      clearTimeout(timer);
      abort.abort();
    },
  };
};
