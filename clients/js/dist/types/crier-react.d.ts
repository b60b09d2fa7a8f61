import type { EventMap, EventOf, Options, Status, Stream } from "./types.js";
type Connect<E extends EventMap<E>> = (url: string | URL, options: Options) => Stream<E>;
/**
 * Returns a stream that is connected while the component is mounted. Another URL
 * makes another stream; other categories or topics change the filter; of the
 * options, the first ones count otherwise. Where several components listen, call
 * it once, high up, and hand the stream down. To share a connection among tabs,
 * give a function that calls the connect of crier/shared as open.
 */
export declare function useStream<E extends EventMap<E> = EventMap>(url: string | URL, options?: Options, open?: Connect<E>): Stream<E>;
/** Calls the latest handler for every event of a type, while the component is mounted. */
export declare function useEvent<E extends EventMap<E>, T extends keyof E & string>(stream: Stream<E>, type: T, handler: (event: EventOf<E, T>) => void): void;
/** Returns the stream's status, and renders again when it changes. */
export declare function useStatus<E extends EventMap<E>>(stream: Stream<E>): Status;
export {};
