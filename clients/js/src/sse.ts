// Server-Sent Events over fetch. Unlike an EventSource, it can send headers and
// sees the status of a refusal.

import { parser } from "./parse.js";
import { type Open, refusal } from "./transport.js";

export const openSSE: Open = (request, sink) => {
  const abort = new AbortController();
  const url = request.url();
  const run = async () => {
    const { init } = request;
    const answer = await fetch(url, {
      ...init,
      headers: { ...init.headers, Accept: "text/event-stream" },
      signal: abort.signal,
    });
    const failure = await refusal(answer, "text/event-stream");
    if (failure || !answer.body) return sink.lost(failure ?? { blocked: true });
    const reader = answer.body.getReader();
    const decoder = new TextDecoder(); // drops a byte order mark
    const parse = parser(
      ({ id, event, data }) => (data === undefined ? sink.message(id, "stream.cursor", {}) : sink.text(id, event, data)),
      sink.retry,
    );
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return sink.lost({});
      sink.alive();
      parse(decoder.decode(value, { stream: true }));
    }
  };
  run().catch((error: unknown) => {
    sink.lost(error instanceof RangeError ? { problem: { kind: "too-big", message: String(error) } } : {});
  });
  return { close: () => abort.abort() };
};
