import type { Filter, Problem, Status } from "../types.js";
import type { Cover, Move } from "./cover.js";
import type { Entry } from "./log.js";
/** From any tab to the one that leads. */
export type ToLeader = 
/** "Bring me up to date." Answered by welcome. */
{
    to: "leader";
    what: "hello";
    tab: string;
    filter: Filter;
    /** The tab's position, or "" if it has none yet. */
    last: string;
    /** Whether the tab has been up to date before: then all that it wants is heard since its position. */
    joined: boolean;
    /** When the position was had from the server, if that is known. */
    since: number | undefined;
}
/** The tab has another filter. Answered by filtered, once it is in effect. */
 | {
    to: "leader";
    what: "filter";
    tab: string;
    filter: Filter;
} | {
    to: "leader";
    what: "bye";
    tab: string;
} | {
    to: "leader";
    what: "ping";
} | {
    to: "leader";
    what: "send";
    message: unknown;
};
/**
 * From the tab that leads. The epoch tells leaders apart. A tab listens to the one
 * that was the last to say that it leads, or to welcome this tab.
 */
export type FromLeader = {
    to: "tabs";
    epoch: string;
} & ({
    what: "lead" | "alive";
} | {
    what: "welcome";
    tab: string;
    /** What the tab lacks; undefined if that cannot be told, and the tab must ask the server. */
    entries: Entry[] | undefined;
    /** The newest id that the leader has: a tab that knows it lacks nothing. */
    head: string;
    status: Status;
    cover: Cover;
} | {
    what: "entry";
    entry: Entry;
} | {
    what: "status";
    status: Status;
} | {
    what: "cover";
    cover: Cover;
}
/** The server has added topics or taken some: all tabs want that now. */
 | ({
    what: "moved";
} & Move) | {
    what: "filtered";
    tab: string;
}
/** The server does not allow something that the tab may have asked for: it must ask by itself. */
 | {
    what: "refused";
    tab: string;
} | {
    what: "end";
    reason: string;
} | {
    what: "problem";
    problem: Problem;
});
export type Message = ToLeader | FromLeader;
