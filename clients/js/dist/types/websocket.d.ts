import type { Open } from "./transport.js";
export declare const openWS: Open;
