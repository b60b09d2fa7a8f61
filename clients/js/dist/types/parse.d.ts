/** The most characters in one frame. */
export declare const MAX_FRAME: number;
export interface Frame {
    /** The id of this very frame, or "" if it has none; ids are not inherited from earlier frames. */
    id: string;
    event: string;
    /** Undefined if the frame has no data line: then there is no event, but the id counts. */
    data: string | undefined;
}
/**
 * Returns a function that takes the next piece of a stream. It calls frame for
 * each complete frame and retry for each retry line. It throws a RangeError when
 * a frame is larger than MAX_FRAME. An incomplete frame at the end is dropped.
 */
export declare function parser(frame: (f: Frame) => void, retry: (ms: number) => void): (piece: string) => void;
