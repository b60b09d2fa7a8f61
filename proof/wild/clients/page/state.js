// For pages that show a state: what they show of it is what they have received.
import { handOut, note, report } from './report.js';

new MutationObserver(() => {
  for (const item of document.querySelectorAll('li[data-n]:not([data-told])')) {
    item.dataset.told = '';
    if (!told.has(item.dataset.n)) report('event', { n: Number(item.dataset.n) });
    told.add(item.dataset.n);
  }
}).observe(document, { childList: true, subtree: true });
const told = new Set();

// Gaps and blank events are not to be seen in it.
const Native = EventSource;
globalThis.EventSource = class extends Native {
  constructor(...args) {
    super(...args);
    for (const type of ['stream.gap', 'stream.end', 'message']) this.addEventListener(type, (e) => handOut(type, e.data));
    this.addEventListener('error', () => note(`error ${this.readyState}`));
  }
};
for (const type of ['stream.gap', 'stream.end', 'message']) {
  document.addEventListener(type, (e) => handOut(type, JSON.stringify(e.detail)));
}
