import type { EventMap, Options, Stream } from "./types.js";
/**
 * Opens a stream of events. It connects soon after the present task has ended,
 * so handlers that are registered at once miss nothing. It throws a TypeError
 * for options that cannot work.
 */
export declare function connect<E extends EventMap<E> = EventMap>(url: string | URL, options?: Options): Stream<E>;
