// The composer: writing, sending, and telling others that somebody types.

import { $ } from './dom.js';

const MAX_BYTES = 4096;     // the server's bound on a message
const TYPING_EVERY = 2000;  // ms between two signs of typing

export class Composer {
  #send;
  #typing;
  #key = null;
  #drafts = new Map(); // conversation key -> text: an unfinished message waits there
  #unsent = [];        // { key, text } of messages that the server has not accepted yet
  #lastTyping = 0;

  // send(key, text) resolves when the server has accepted the message and
  // rejects with what to tell the writer; typing(key) is called while somebody types.
  constructor({ send, typing }) {
    this.#send = send;
    this.#typing = typing;
    $('composer').addEventListener('submit', (e) => { e.preventDefault(); this.#submit(); });
    $('text').addEventListener('input', () => this.#changed());
    $('text').addEventListener('keydown', (e) => {
      // isComposing: Enter also picks a character in an input method.
      if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); this.#submit(); }
    });
  }

  open(key, name) {
    if (this.#key) this.#drafts.set(this.#key, $('text').value);
    this.#key = key;
    $('text').value = this.#drafts.get(key) ?? '';
    $('text').placeholder = `Message ${name}`;
    $('text-label').textContent = `Message ${name}`;
    this.error('');
    this.#measure();
  }

  focus() { $('text').focus(); }

  // blur keeps what is being typed from going into a conversation that has just
  // been opened by itself.
  blur() { $('text').blur(); }

  error(text) { $('send-error').textContent = text; }

  #changed() {
    this.error('');
    this.#measure();
    if (!$('text').value.trim() || Date.now() - this.#lastTyping < TYPING_EVERY) return;
    this.#lastTyping = Date.now();
    this.#typing(this.#key);
  }

  #submit() {
    const key = this.#key;
    const text = $('text').value.trim();
    if (!text) return;
    $('text').value = '';
    this.#measure();
    this.#lastTyping = 0;
    this.#unsent.push({ key, text });
    if (this.#unsent.length === 1) this.#sendAll();
  }

  // #sendAll sends one message after the other: of two that are under way at a
  // time, the second can arrive first.
  async #sendAll() {
    while (this.#unsent.length > 0) {
      const { key, text } = this.#unsent[0];
      try {
        await this.#send(key, text);
        this.#unsent.shift();
      } catch (err) {
        this.#giveBack(key);
        this.error(err.message);
      }
    }
  }

  // #giveBack makes a draft of what could not be sent to a conversation, before
  // what has been written there since: nothing that was written is lost.
  #giveBack(key) {
    const texts = this.#unsent.filter((m) => m.key === key).map((m) => m.text);
    this.#unsent = this.#unsent.filter((m) => m.key !== key);
    const since = this.#key === key ? $('text').value : this.#drafts.get(key);
    const draft = [...texts, since].filter(Boolean).join('\n');
    if (this.#key === key) $('text').value = draft;
    else this.#drafts.set(key, draft);
    this.#measure();
  }

  #measure() {
    const box = $('text');
    box.style.height = 'auto';
    box.style.height = `${box.scrollHeight}px`;
    const size = new TextEncoder().encode(box.value.trim()).length;
    $('send-size').textContent = size > MAX_BYTES * 0.85 ? `${size} of ${MAX_BYTES} bytes` : '';
    $('send-size').dataset.over = size > MAX_BYTES;
  }
}
