import type { Filter } from "../types.js";
export interface Cover {
    /** All categories, since this time; undefined if only those that are named. */
    all?: number | undefined;
    categories: Record<string, number>;
    topics: Record<string, number>;
}
/** The union of filters. What old has already keeps its time; the rest begins now. */
export declare function union(filters: Iterable<Filter>, old: Cover | undefined, now: number): Cover;
/** The filter that asks for what a cover has. */
export declare function asFilter({ all, categories, topics }: Cover): Filter;
/** Whether two covers ask for the same. */
export declare const same: (a: Cover, b: Cover) => boolean;
/** Reports whether a cover has had all that a filter wants since a time. */
export declare function covers({ all, categories, topics }: Cover, want: Filter, since: number): boolean;
/** What the server has done to a stream's topics by itself. */
export interface Move {
    added: string[];
    taken: string[];
}
/** What is wanted after a move. */
export declare function moved(want: Filter, { added, taken }: Move): Filter;
