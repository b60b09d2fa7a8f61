// The parts of crier/shared that need no tabs; tabs are tried in browsers.

import { beforeEach, describe, expect, test, vi } from "vitest";
import { asFilter, covers, same, union } from "../../src/shared/cover.js";
import { Log } from "../../src/shared/log.js";

describe("a cover", () => {
  test("is the union of filters", () => {
    const both = union([{ categories: ["b", "a"] }, { categories: ["a"], topics: ["y", "x"] }, { categories: [], topics: ["x"] }], undefined, 1);
    expect(asFilter(both)).toEqual({ categories: ["a", "b"], topics: ["x", "y"] });
    expect(asFilter(union([{ categories: ["a"] }, {}], undefined, 1))).toEqual({ categories: undefined, topics: undefined });
    expect(same(both, union([asFilter(both)], undefined, 2))).toBe(true);
    expect(same(both, union([{ categories: ["a"] }], undefined, 1))).toBe(false);
  });

  test("knows since when it has what", () => {
    const first = union([{ categories: ["a"], topics: ["x"] }], undefined, 10);
    const second = union([{ categories: ["a", "b"], topics: ["x", "y"] }], first, 20);
    expect(covers(second, { categories: ["a"], topics: ["x"] }, 10)).toBe(true);
    expect(covers(second, { categories: ["a"] }, 9)).toBe(false);
    expect(covers(second, { categories: ["a", "b"] }, 19)).toBe(false);
    expect(covers(second, { categories: ["a"], topics: ["y"] }, 19)).toBe(false);
    expect(covers(second, { categories: ["a", "b"], topics: ["x", "y"] }, 20)).toBe(true);
    expect(covers(second, {}, 99)).toBe(false); // all of them
    expect(covers(second, { categories: ["c"] }, 99)).toBe(false);
  });

  test("that has all categories has each of them", () => {
    const all = union([{}], undefined, 10);
    expect(covers(all, { categories: ["a"] }, 10)).toBe(true);
    const narrowed = union([{ categories: ["a"] }], all, 20);
    expect(covers(narrowed, { categories: ["a"] }, 10)).toBe(true); // has had it without a break
    expect(covers(union([{}], narrowed, 30), {}, 20)).toBe(false);
  });
});

describe("a log", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1000 });
    return () => vi.useRealTimers();
  });

  test("tells what came after an id, and since a time", () => {
    const log = new Log();
    expect(log.since(0)).toBeUndefined();
    log.begun = 1000;
    for (const id of ["1", "2", "3"]) {
      log.append({ id, type: "a", data: id });
      vi.advanceTimersByTime(10);
    }
    expect(log.last).toBe("3");
    expect(log.after("1").map((e) => e.id)).toEqual(["2", "3"]);
    expect(log.after("3")).toEqual([]);
    expect(log.time("2")).toBe(1010);
    expect(log.time("4")).toBeUndefined();
    expect(log.since(1010)?.map((e) => e.id)).toEqual(["2", "3"]);
    expect(log.since(999)).toBeUndefined();
  });

  test("is bounded, and knows what it does not know any more", () => {
    const log = new Log();
    log.begun = 1000;
    for (let i = 0; i < 1500; i++) log.append({ id: `${i}` });
    expect(log.time("499")).toBeUndefined();
    expect(log.time("500")).toBe(1000);
    expect(log.since(1000)).toBeUndefined();
    expect(log.seen("0")).toBe(true); // not to be handed out again
    vi.advanceTimersByTime(130_000);
    log.append({ id: "new" });
    expect(log.since(1001)?.map((e) => e.id)).toEqual(["new"]);
    for (let i = 0; i < 20_000; i++) log.append({ id: `more ${i}` });
    expect(log.seen("0")).toBe(false);
  });

  test("restarts at a position", () => {
    const log = new Log();
    log.append({ id: "1" });
    log.restart("2");
    expect(log.last).toBe("2");
    expect(log.time("1")).toBeUndefined();
    expect(log.seen("1")).toBe(true);
    expect(log.since(1000)?.length).toBe(1);
  });
});
