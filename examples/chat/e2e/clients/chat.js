// What a script needs of the chat's HTTP surface, beside a stream.

import { once } from 'node:events';

export const CHAT = process.env.CHAT_URL ?? 'http://localhost:8080';

// A Person is logged in.
export class Person {
  static async login(name) {
    const answer = await fetch(`${CHAT}/login`, { method: 'POST', body: new URLSearchParams({ name }), redirect: 'manual' });
    const cookie = answer.headers.getSetCookie().map((c) => c.split(';')[0]).join('; ');
    if (answer.status !== 303 || !cookie) throw new Error(`logging in as ${name}: ${answer.status} ${await answer.text()}`);
    return Object.assign(new Person(), { name, cookie });
  }

  // post writes to somebody, or in the lobby, and returns the message's id.
  async post(text, to = '') {
    const answer = await fetch(`${CHAT}/messages`, {
      method: 'POST',
      headers: { Cookie: this.cookie, 'Content-Type': 'application/json' },
      body: JSON.stringify({ text, to }),
    });
    if (answer.status !== 202) throw new Error(`posting ${text}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()).id;
  }
}

// until waits for an event of emitter after which condition() is true.
export async function until(what, emitter, event, condition, ms = 20_000) {
  const signal = AbortSignal.timeout(ms);
  while (!condition()) {
    await once(emitter, event, { signal }).catch((err) => {
      throw signal.aborted ? new Error(`${what}: still not so after ${ms} ms`) : err;
    });
  }
}
