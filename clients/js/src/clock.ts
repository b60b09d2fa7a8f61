/** A moment, by two clocks in milliseconds. */
export type Timestamp = [wall: number, monotonic: number];

export const now = (): Timestamp => [Date.now(), performance.now()];

/**
 * The milliseconds since a moment, by the clock that says more: the monotonic one
 * may stand still while a machine sleeps, and the other may be set back.
 */
export const since = ([wall, monotonic]: Timestamp) => Math.max(Date.now() - wall, performance.now() - monotonic);
