/** One message of the stream, as tabs pass it on. */
export interface Entry {
    /** The position after it; "" for an ephemeral event, which is in no log. */
    id: string;
    /** An event has a type; a gap has a reason; what has neither only moves the position. */
    type?: string;
    data?: unknown;
    gap?: string;
}
export declare class Log {
    #private;
    /** When the log began to be complete, by Date.now: all that was received since then is in it. */
    begun: number;
    /** The id of the newest entry, or "". */
    get last(): string;
    /** Reports whether an entry has been handed out, even if it is no longer in the log. */
    seen(id: string): boolean;
    append(entry: Entry): void;
    /** Forgets everything but a position: the log is complete from there on. */
    restart(id: string): void;
    /** When the entry with this id was received, or undefined if it is not here. */
    time(id: string): number | undefined;
    /** The entries after the one with this id, which must be here. */
    after(id: string): Entry[];
    /** The entries that were received at a time or later, or undefined if some of them may not be here. */
    since(time: number): Entry[] | undefined;
}
