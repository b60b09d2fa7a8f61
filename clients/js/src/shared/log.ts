// What a tab has handed out lately, in the stream's order. With it a tab that
// leads can bring others up to date, and every tab knows what it has had already.

/** One message of the stream, as tabs pass it on. */
export interface Entry {
  /** The position after it; "" for an ephemeral event, which is in no log. */
  id: string;
  /** An event has a type; a gap has a reason; what has neither only moves the position. */
  type?: string;
  data?: unknown;
  gap?: string;
}

const ENTRIES = 1000;
const AGE = 120_000; // milliseconds
const SEEN = 20_000; // ids

export class Log {
  #entries: (Entry & { at: number })[] = [];
  #seen = new Set<string>();
  /** When the log began to be complete, by Date.now: all that was received since then is in it. */
  begun = Number.POSITIVE_INFINITY;

  /** The id of the newest entry, or "". */
  get last(): string {
    return this.#entries.at(-1)?.id ?? "";
  }

  /** Reports whether an entry has been handed out, even if it is no longer in the log. */
  seen(id: string): boolean {
    return this.#seen.has(id);
  }

  append(entry: Entry): void {
    const at = Date.now();
    this.#entries.push({ ...entry, at });
    this.#seen.add(entry.id);
    while (this.#entries.length > ENTRIES || at - (this.#entries[0]?.at ?? at) > AGE) {
      this.begun = Math.max(this.begun, (this.#entries.shift()?.at ?? 0) + 1);
    }
    for (const id of this.#seen) {
      if (this.#seen.size <= SEEN) break;
      this.#seen.delete(id);
    }
  }

  /** Forgets everything but a position: the log is complete from there on. */
  restart(id: string): void {
    this.#entries = [];
    this.begun = Date.now();
    if (id) this.append({ id });
  }

  /** When the entry with this id was received, or undefined if it is not here. */
  time(id: string): number | undefined {
    return this.#entries.find((e) => e.id === id)?.at;
  }

  /** The entries after the one with this id, which must be here. */
  after(id: string): Entry[] {
    return this.#entries.slice(this.#entries.findIndex((e) => e.id === id) + 1);
  }

  /** The entries that were received at a time or later, or undefined if some of them may not be here. */
  since(time: number): Entry[] | undefined {
    return this.begun <= time ? this.#entries.filter(({ at }) => at >= time) : undefined;
  }
}
