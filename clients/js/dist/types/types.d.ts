/** The payloads of an application's events by their types, as crier-schema generates it. */
export type EventMap<E = Record<string, unknown>> = {
    [T in keyof E]: unknown;
};
/** An event as it arrives. */
export interface EventOf<E extends EventMap<E>, T extends keyof E> {
    readonly type: T;
    /** The event's UUID; "" for an ephemeral event, which cannot be resumed from. */
    readonly id: string;
    readonly data: E[T];
}
/** Any of an application's events, discriminated by type. */
export type AnyEvent<E extends EventMap<E> = EventMap> = {
    [T in keyof E]: EventOf<E, T>;
}[keyof E];
export type TransportName = "sse" | "ws" | "poll";
/**
 * Why events are missing: "evicted", the server no longer keeps them;
 * "unknown", the server does not know the cursor (it was restarted, or the
 * client was away for too long). Read the state again after either.
 */
export type GapReason = "evicted" | "unknown" | (string & {});
/** What a stream receives. Absent categories mean all that the session allows; absent topics mean none. */
export interface Filter {
    categories?: readonly string[] | undefined;
    topics?: readonly string[] | undefined;
}
export interface Options extends Filter {
    /** URL of the WebSocket endpoint. http and https become ws and wss. Default: WebSocket is not used. */
    ws?: string | URL | undefined;
    /** URL of the long-polling endpoint. Default: long-polling is not used. */
    poll?: string | URL | undefined;
    /** The transports to use, in order of preference. Default: sse, then ws and poll if their URLs are given. */
    transports?: readonly TransportName[] | undefined;
    /**
     * The cursor to start after, as the server put it into the page together with
     * the state. Default: the stream starts now.
     */
    from?: string | undefined;
    /**
     * Returns the bearer token, and is called before every connection attempt. When
     * the server has refused a token, that token is passed in: return another one
     * to go on, or the same, null or undefined to end the stream. A rejection
     * counts as a failed attempt and is tried again. The token is sent in the
     * Authorization header, or where a browser allows no header (WebSocket,
     * EventSource) as access_token in the query.
     */
    token?: ((refused?: string) => string | null | undefined | Promise<string | null | undefined>) | undefined;
    /** The server's heartbeat interval in milliseconds. A stream that is silent for 1.5 intervals is dead. Default 25000. */
    heartbeat?: number | undefined;
    /** Ends the stream, as close does. */
    signal?: AbortSignal | undefined;
    /** Whether cookies are sent; "include" for another origin. Default "same-origin". */
    credentials?: RequestCredentials | undefined;
    /**
     * All event types that the application knows. An event of another type is
     * given to onUnknown. Default: the types that a handler was registered for.
     * An EventSource, used where fetch cannot stream, receives only these types.
     */
    types?: readonly string[] | undefined;
    /**
     * The event types of kinds that are event.Text on the server. Over SSE their data
     * is text as it is, and not JSON; the client gives it to handlers as a string over
     * every transport. Default: none.
     */
    textTypes?: readonly string[] | undefined;
    /** Does not connect until resume is called. Default false. */
    paused?: boolean | undefined;
}
export interface Status {
    /**
     * "connecting": an attempt is under way. "open": the server has answered and
     * events arrive. "retrying": the connection is gone, and another attempt
     * follows at retryAt. "paused": until resume is called. "ended": the server
     * has refused this client for good. "closed": by close or the signal.
     */
    readonly state: "connecting" | "open" | "retrying" | "paused" | "ended" | "closed";
    /** The transport in use, or the one that is tried next. */
    readonly transport: TransportName;
    /** When the next attempt is due, in milliseconds as of Date.now. Only while retrying. */
    readonly retryAt?: number;
    /**
     * Why the last connection ended: the server's word ("shutdown", "revoked",
     * "expired", "overloaded", ...), or "unauthenticated" (401, 204), "forbidden"
     * (403), "gone" (the connection broke), "silent" (no heartbeat), "blocked" (this
     * transport does not get through), "token" (the token function failed).
     */
    readonly reason?: string;
}
/** Something that went wrong and that a developer wants to know. The stream goes on by itself. */
export interface Problem {
    /**
     * "refused": an HTTP status that is an error; "not-a-stream": an answer that no
     * Crier server gives, such as an HTML page; "bad-frame": an event that is not
     * JSON, and is skipped; "too-big": a frame of more than 16 Mi characters;
     * "rejected": the server's answer to a message of ours; "token": the token
     * function threw.
     */
    readonly kind: "refused" | "not-a-stream" | "bad-frame" | "too-big" | "rejected" | "token";
    readonly message: string;
    /** The HTTP status, where there is one. */
    readonly status?: number;
    /** The "ref" of the message that was rejected; a negative number if that was a change of the filter. */
    readonly ref?: unknown;
}
/** Removes the handler that it was returned for. */
export type Off = () => void;
/**
 * A stream of events that survives broken connections. Handlers are called in
 * the order of the events; each event is handed out once. An exception in a
 * handler is reported (reportError, or the console) and does not disturb the
 * stream.
 *
 * As an async iterable, it yields every event from when the loop starts. The
 * loop ends when the stream is closed, and throws when the server has ended it
 * for good. While a loop is 1000 events behind, the stream is disconnected; it
 * resumes once the loop has caught up.
 */
export interface Stream<E extends EventMap<E> = EventMap> extends AsyncIterable<AnyEvent<E>> {
    on<T extends keyof E & string>(type: T, handler: (event: EventOf<E, T>) => void): Off;
    /** Events are missing: read the state again. What the server still has of them follows. */
    onGap(handler: (reason: GapReason) => void): Off;
    /**
     * A change of the filter is in effect. There is a ref if filter was called, and none
     * if the server has added topics or taken some. A topic that was taken is not asked
     * for again.
     */
    onFilter(handler: (filter: Filter & {
        ref?: unknown;
    }) => void): Off;
    /** The server has ended a connection, and said why. The stream comes back by itself, except after "revoked" and "expired". */
    onEnd(handler: (reason: string) => void): Off;
    /** The position at the opening of a connection, and again with each heartbeat. Events move it too, without this call. */
    onCursor(handler: (cursor: string) => void): Off;
    onStatus(handler: (status: Status) => void): Off;
    onError(handler: (problem: Problem) => void): Off;
    /** An event whose type the application does not know; see Options.types. */
    onUnknown(handler: (event: AnyEvent) => void): Off;
    /** Changes with every change of state, and is the same object until then. */
    readonly status: Status;
    /** The position up to which events were handed out; a valid Options.from. */
    readonly cursor: string;
    /**
     * Replaces the filter. A WebSocket is told; otherwise a new connection takes over where
     * this one ended. A WebSocket's server may reject it: then the filter stays as it was,
     * and onError is called. Otherwise the stream ends as "forbidden".
     */
    filter(filter: Filter): void;
    /** Sends a message to the server as JSON. False: only an open WebSocket can, and there is none. */
    send(message: unknown): boolean;
    /** Disconnects. The stream keeps its cursor, and resume goes on from there. */
    pause(): void;
    resume(): void;
    /** Ends the stream for good, and every loop over it. */
    close(): void;
}
