// Handlers by name. An exception in one of them is reported, and disturbs neither
// the others nor the caller.

import type { Off } from "./types.js";

type Handler = (value: never) => void;

/** Names are event types, and ours, which begin with a colon. */
export function handlers() {
  const all = new Map<string, Set<Handler>>();
  return {
    listen(name: string, handler: Handler): Off {
      // A function of its own, so that a handler can be registered twice.
      const mine: Handler = (value) => handler(value);
      const set = all.get(name) ?? new Set();
      all.set(name, set.add(mine));
      return () => void set.delete(mine);
    },
    /** Calls the handlers of a name, and reports whether there are any. */
    emit(name: string, value: unknown): boolean {
      const set = [...(all.get(name) ?? [])];
      for (const handler of set) {
        try {
          handler(value as never);
        } catch (error) {
          (globalThis.reportError ?? console.error)(error);
        }
      }
      return !!set.length;
    },
    /** The event types that have had a handler. */
    names: () => [...all.keys()].filter((name) => name[0] !== ":"),
  };
}
