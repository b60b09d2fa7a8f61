import type { Problem } from "./types.js";
/** What a transport needs to open a connection. */
export interface Request {
    /** The endpoint's URL, with the cursor and the filter in its query; with the token too if asked for. */
    url(withToken?: boolean): string;
    /** For fetch: headers with the token, credentials. */
    init: RequestInit & {
        headers: Record<string, string>;
    };
    /** The application's event types; only an EventSource has to know them. */
    types: Iterable<string>;
}
export interface Sink {
    /** A message of the wire. The id is "" where the message has none. */
    message(id: string, event: string, data: unknown): void;
    /** The same, with data as JSON. */
    text(id: string, event: string, data: string): void;
    /** Bytes have arrived that are no message yet. */
    alive(): void;
    /** The server seems to hold the request until there is something new. */
    held(): void;
    /** The server says how long to wait before the next connection, in milliseconds. */
    retry(ms: number): void;
    problem(problem: Problem): void;
    lost(failure: Failure): void;
}
export interface Failure {
    /** The server's word, or one of ours; see Status.reason. Default: "blocked" or "gone". */
    reason?: string;
    /** The HTTP status, if that is what went wrong. */
    status?: number;
    /** The topics that are refused, with commas between them. */
    topics?: string;
    /** How long the server wants to be left alone, in milliseconds. */
    after?: number | undefined;
    /** This transport does not get through: try the next one. */
    blocked?: boolean;
    /** The connection never opened, and this transport cannot tell why. */
    opaque?: boolean;
    /** Nothing speaks against reconnecting at once. */
    atOnce?: boolean;
    problem?: Problem;
}
export interface Connection {
    /** Sends JSON, or returns false if it cannot now. Only a WebSocket has it. */
    send?(message: unknown): boolean;
    /** The application wants to know events of one more type. */
    listen?(type: string): void;
    close(): void;
}
export type Open = (request: Request, sink: Sink) => Connection;
/**
 * Says what is wrong with an answer: nothing if its status is 200 and its
 * media type is the expected one.
 */
export declare function refusal(answer: Response, type: string): Promise<Failure | undefined>;
export declare const notAStream: ({ url, status }: Response, what: string) => Failure;
/** Reports whether a status says that this client is not wanted. */
export declare const isFinal: (status: number) => status is 204 | 401 | 403;
