import type { Off } from "./types.js";
type Handler = (value: never) => void;
/** Names are event types, and ours, which begin with a colon. */
export declare function handlers(): {
    listen(name: string, handler: Handler): Off;
    /** Calls the handlers of a name, and reports whether there are any. */
    emit(name: string, value: unknown): boolean;
    /** The event types that have had a handler. */
    names: () => string[];
};
export {};
