import type { AnyEvent, EventMap, Off, Status } from "./types.js";
type Handler = (value: never) => void;
/**
 * Makes an outlet for a stream of which the application knows these types. hold is
 * called when a loop is too far behind: it stops the stream, and reports whether
 * that was needed. release is called when all loops have caught up again.
 */
export declare function outlet(types: readonly string[], status: () => Status, hold: () => boolean, release: () => void): {
    listen: (name: string, handler: Handler) => Off;
    emit: (name: string, value: unknown) => boolean;
    /** What has had a handler: event types, and names of ours. */
    names: () => MapIterator<string>;
    deliver(e: AnyEvent): void;
    /** To be called when the stream stops: loops may have to end. */
    wake(): void;
    iterate<E extends EventMap<E>>(): AsyncGenerator<AnyEvent<E>>;
};
export {};
