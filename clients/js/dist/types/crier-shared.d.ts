/**
 * One connection for all tabs. The tabs of a user elect a leader with Web Locks;
 * it has the connection, and passes on what arrives over a BroadcastChannel. When
 * the leader's tab is closed, crashes, is frozen or discarded, another tab goes on
 * from the position that all of them know.
 *
 * connect returns a stream as that of crier does. What is different:
 *
 * - The connection hears the union of what the tabs ask for, and the wire does not
 *   say why an event was sent. So a tab also receives events of categories and
 *   topics that only other tabs have asked for: look at the event's data.
 * - Of the options, those of the tab that leads count for the connection.
 * - send works over the leader's WebSocket; the server's answers reach every tab.
 *
 * Where the browser has no Web Locks (they need https or localhost) or there is no
 * BroadcastChannel, each tab has a connection of its own.
 */
import type { EventMap, Options, Stream } from "./types.js";
export type * from "./types.js";
export interface SharedOptions extends Options {
    /**
     * Whom this page belongs to, such as the user's id. Only tabs with the same user
     * share a connection: after a logout and another login, old tabs may still be open.
     */
    user: string;
    /**
     * When the state that goes with from was asked for, by Date.now. With it, a tab
     * that joins others need not ask the server for what they have just received.
     * Default: when the page was, unless it came from a cache.
     */
    since?: number | undefined;
}
export declare function connect<E extends EventMap<E> = EventMap>(url: string | URL, options: SharedOptions): Stream<E>;
