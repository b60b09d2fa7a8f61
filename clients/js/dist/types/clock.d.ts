/** A moment, by two clocks in milliseconds. */
export type Timestamp = [wall: number, monotonic: number];
export declare const now: () => Timestamp;
/**
 * The milliseconds since a moment, by the clock that says more: the monotonic one
 * may stand still while a machine sleeps, and the other may be set back.
 */
export declare const since: ([wall, monotonic]: Timestamp) => number;
