// Where events come out: handlers by name, and loops over the stream. An
// exception in a handler is reported, and disturbs neither the others nor the
// stream.

import type { AnyEvent, EventMap, Off, Status } from "./types.js";

/** How many events a loop over the stream may be behind. */
const BEHIND = 1_000;

type Handler = (value: never) => void;
type Loop = { queue: AnyEvent[]; wake: () => void };

/**
 * Makes an outlet for a stream of which the application knows these types. hold is
 * called when a loop is too far behind: it stops the stream, and reports whether
 * that was needed. release is called when all loops have caught up again.
 */
export function outlet(types: readonly string[], status: () => Status, hold: () => boolean, release: () => void) {
  const all = new Map<string, Set<Handler>>();
  const loops = new Set<Loop>();
  let held = false;

  /** Names are event types, and ours, which begin with a colon. */
  const listen = (name: string, handler: Handler): Off => {
    const mine: Handler = (value) => handler(value); // so that one can be registered twice
    all.set(name, (all.get(name) ?? new Set()).add(mine));
    return () => void all.get(name)?.delete(mine);
  };

  /** Calls the handlers of a name, and reports whether there are any. */
  const emit = (name: string, value: unknown): boolean => {
    const handlers = [...(all.get(name) ?? [])];
    for (const handler of handlers) {
      try {
        handler(value as never);
      } catch (error) {
        (globalThis.reportError ?? console.error)(error);
      }
    }
    return !!handlers.length;
  };

  return {
    listen,
    emit,
    /** What has had a handler: event types, and names of ours. */
    names: () => all.keys(),
    deliver(e: AnyEvent): void {
      if (!emit(e.type, e) && !types.includes(e.type)) emit(":unknown", e);
      for (const loop of loops) {
        if (loop.queue.push(e) >= BEHIND && hold()) held = true;
        loop.wake();
      }
    },
    /** To be called when the stream stops: loops may have to end. */
    wake(): void {
      held = false;
      for (const loop of loops) loop.wake();
    },
    async *iterate<E extends EventMap<E>>(): AsyncGenerator<AnyEvent<E>> {
      const loop: Loop = { queue: [], wake() {} };
      loops.add(loop);
      try {
        for (;;) {
          for (let e = loop.queue.shift(); e; e = loop.queue.shift()) yield e as AnyEvent<E>;
          const { state, reason } = status();
          if (state === "ended") throw new Error(`crier: the stream ended: ${reason}`);
          if (state === "closed") return;
          if (held && ![...loops].some((l) => l.queue.length)) release();
          await new Promise<void>((resolve) => (loop.wake = resolve));
        }
      } finally {
        loops.delete(loop);
      }
    },
  };
}
