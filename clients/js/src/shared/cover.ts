// What the one connection hears: the union of what the tabs want, and since when.
// It is plain data, since tabs tell each other.

import type { Filter } from "../types.js";

export interface Cover {
  /** All categories, since this time; undefined if only those that are named. */
  all?: number | undefined;
  categories: Record<string, number>;
  topics: Record<string, number>;
}

const NOTHING: Cover = { categories: {}, topics: {} };

/** The union of filters. What old has already keeps its time; the rest begins now. */
export function union(filters: Iterable<Filter>, old: Cover = NOTHING, now: number): Cover {
  const cover: Cover = { categories: {}, topics: {} };
  for (const { categories, topics } of filters) {
    if (!categories) cover.all = old.all ?? now;
    for (const name of categories ?? []) cover.categories[name] = old.categories[name] ?? old.all ?? now;
    for (const name of topics ?? []) cover.topics[name] = old.topics[name] ?? now;
  }
  return cover;
}

/** The filter that asks for what a cover has. */
export function asFilter({ all, categories, topics }: Cover): Filter {
  const names = Object.keys(topics).sort();
  return {
    categories: all === undefined ? Object.keys(categories).sort() : undefined,
    topics: names.length ? names : undefined,
  };
}

/** Whether two covers ask for the same. */
export const same = (a: Cover, b: Cover): boolean => JSON.stringify(asFilter(a)) === JSON.stringify(asFilter(b));

/** Reports whether a cover has had all that a filter wants since a time. */
export function covers({ all, categories, topics }: Cover, want: Filter, since: number): boolean {
  const has = (time: number | undefined) => time !== undefined && time <= since;
  return (
    (has(all) || (!!want.categories && want.categories.every((name) => has(categories[name])))) &&
    (want.topics ?? []).every((name) => has(topics[name]))
  );
}

/** What the server has done to a stream's topics by itself. */
export interface Move {
  added: string[];
  taken: string[];
}

/** What is wanted after a move. */
export function moved(want: Filter, { added, taken }: Move): Filter {
  const kept = (want.topics ?? []).filter((name) => !taken.includes(name));
  return { ...want, topics: [...new Set([...kept, ...added])] };
}
