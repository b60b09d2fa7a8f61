// Which transport got through last, where the preferred one did not. It is kept
// in localStorage, so that the next page need not find out again, and only in
// memory where storage is forbidden.

/** Milliseconds after which the preferred transport is tried again: the network may be another. */
const KEPT = 3_600_000;

const memory = new Map<string, string>();

export function recall(key: string): string | undefined {
  let note = memory.get(key);
  try {
    note = localStorage.getItem(key) ?? note;
  } catch {
    // forbidden, or not a browser
  }
  const [name, time] = note?.split(" ") ?? [];
  const age = Date.now() - Number(time);
  return age >= 0 && age < KEPT ? name : undefined;
}

export function remember(key: string, name: string): void {
  const note = `${name} ${Date.now()}`;
  memory.set(key, note);
  try {
    localStorage.setItem(key, note);
  } catch {
    // see above
  }
}
