import { SSE } from 'sse.js';

export function follow(url, types, handle) {
  const source = new SSE(url, { autoReconnect: true }); // off by default
  for (const type of types) source.addEventListener(type, (e) => handle(type, e.data));
}
