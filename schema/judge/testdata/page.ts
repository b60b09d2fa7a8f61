// What a page does with the generated types of package sample. Each line with the
// comment "wrong" must not compile, and every other must.
import type { AnyEvent, Category, Events, Scalars, Status } from "./events";

// The part of the client that the types are for.
type EventMap<E> = { [T in keyof E]: unknown };
interface EventOf<E, T extends keyof E> {
  readonly type: T;
  readonly id: string;
  readonly data: E[T];
}
interface Stream<E extends EventMap<E>> extends AsyncIterable<{ [T in keyof E]: EventOf<E, T> }[keyof E]> {
  on<T extends keyof E & string>(type: T, f: (e: EventOf<E, T>) => void): void;
}
declare function connect<E extends EventMap<E>>(url: string, options?: { categories?: Category[] }): Stream<E>;
declare function show(text: string): void;
declare function never(value: never): never;

const stream = connect<Events>("/events", { categories: ["plain", "named"] });
connect<Events>("/events", { categories: ["unknown"] }); // wrong: no such category

stream.on("plain.scalars", (e) => show(e.data.string + e.id));
stream.on("plain.scalars", (e) => show(e.data.int)); // wrong: a number
stream.on("plain.scalars", (e) => show(e.data.text)); // wrong: no such field
stream.on("plain.scalar", () => {}); // wrong: no such type
stream.on("other.string", (e) => show(e.data));

// Null and absent are told apart.
stream.on("absent.fields", (e) => show(e.data.pointer)); // wrong: can be null
stream.on("absent.fields", (e) => show(e.data.pointer ?? ""));
stream.on("absent.fields", (e) => show(e.data.empty_pointer)); // wrong: can be absent
stream.on("absent.fields", (e) => show(e.data.empty_pointer ?? ""));
stream.on("absent.fields", (e) => {
  const absent: string | undefined = e.data.empty_pointer;
  const both: string | undefined = e.data.twice; // wrong: can also be null
  show(absent ?? both ?? "");
});
stream.on("plain.lists", (e) => e.data.strings.map(show)); // wrong: can be null
stream.on("plain.lists", (e) => e.data.strings?.map(show));
stream.on("plain.lists", (e) => show(e.data.pair[2])); // wrong: has two elements
stream.on("plain.lists", (e) => show(e.data.pair[1]));
stream.on("other.pointer", (e) => show(e.data.string)); // wrong: the payload can be null
stream.on("other.raw", (e) => show(e.data)); // wrong: can be anything
stream.on("named.tree", (e) => show(e.data.parent?.parent?.children?.[0]?.name ?? ""));

// Enumerations are exhaustive.
function say(s: Status): string {
  switch (s) {
    case "open":
      return "is open";
    case "shut": // wrong: no such value
      return "is shut";
    case "closed":
    case 'on "hold"':
      return "is not";
  }
}
stream.on("named.ticket", (e) => show(say(e.data.status) + say(e.data.was ?? "open")));
stream.on("plain.maps", (e) => show(String(e.data.by_status?.open) + String(e.data.counts?.["a"])));
stream.on("plain.maps", (e) => show(String(e.data.by_status?.shut))); // wrong: no such key

// The union is discriminated by type.
export function handle(e: AnyEvent): void {
  switch (e.type) {
    case "plain.scalars":
      show(e.data.string + e.id);
      break;
    case "other.raw":
      show(e.id); // wrong: ephemeral events have no id
      break;
    case "named.tree":
      show(e.data.string); // wrong: that is another type's
      show(e.data.name);
      break;
    case "plain.gone": // wrong: no such type
      break;
    default:
      never(e); // wrong: there are others
  }
}

// What the client hands out fits the union.
export async function follow(): Promise<void> {
  for await (const e of stream) handle(e);
}

// Payloads that are made here, for instance in a test.
const scalars: Scalars = { bool: true, int: 1, int8: 1, int16: 1, int32: 1, int64: 1, uint: 1, uint8: 1, uint16: 1, uint32: 1, uint64: 1, float32: 1, float64: 1, string: "" };
export const right: AnyEvent = { type: "plain.scalars", id: "1", data: scalars };
export const missing: Scalars = { bool: true }; // wrong: fields are missing
export const another: AnyEvent = { type: "plain.known", id: "1", data: scalars }; // wrong: another type's payload
export const unknown: AnyEvent = { type: "plain.none", id: "1", data: scalars }; // wrong: no such type
export const undef: Events["absent.embedded"] = { id: 1, deep: { x: 1 }, note: undefined, named: { value: 1 }, shown: true, Tagged: 1, over: "" }; // wrong: absent, not undefined
export const absent: Events["absent.embedded"] = { id: 1, deep: { x: 1 }, named: { value: 1 }, shown: true, Tagged: 1, over: "" };
