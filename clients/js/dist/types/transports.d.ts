import type { Open } from "./transport.js";
import type { Options, TransportName } from "./types.js";
export declare const opening: Record<TransportName, Open>;
/** The transports that can be used here, in order. */
export declare function usable({ ws, poll, transports }: Options): TransportName[];
