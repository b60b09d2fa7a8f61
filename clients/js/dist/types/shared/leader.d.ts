import type { Filter, Options, Problem, Status } from "../types.js";
import { type Cover, type Move } from "./cover.js";
import type { Entry, Log } from "./log.js";
import type { FromLeader, ToLeader } from "./messages.js";
type Words = FromLeader extends infer M ? (M extends FromLeader ? Omit<M, "to" | "epoch"> : never) : never;
/** The tab that the leader is part of. */
export interface Self {
    id: string;
    filter: Filter;
    log: Log;
    /** What the connection of an earlier leader heard, if there was one. */
    cover: Cover | undefined;
    /** Where the stream goes on. */
    last: string;
    /** Says something to all tabs but this one. */
    say(words: Words): void;
    /** Has all tabs say again what they want. */
    announce(): void;
    /** Tells this tab. */
    entry(entry: Entry): void;
    status(status: Status): void;
    end(reason: string): void;
    problem(problem: Problem): void;
    filtered(): void;
    moved(move: Move): void;
    /** Calls then when a tab is gone, unless the signal is aborted before that. */
    gone(tab: string, signal: AbortSignal, then: () => void): void;
}
export declare function lead(url: string, options: Options, self: Self): {
    send: (message: unknown) => boolean;
    hear(m: ToLeader): void;
    filter(filter: Filter): void;
    close(): void;
};
export {};
