// Types are checked by tsc, which npm run check calls for the tests, too.

import { expectTypeOf, test } from "vitest";
import type { AnyEvent, Stream } from "../../src/crier.js";

// As crier-schema generates it.
type Events = {
  "chat.posted": { text: string };
  "chat.typing": { who: string | null };
};
interface Handwritten {
  "a.b": number;
}

test("events are typed", () => {
  const check = (stream: Stream<Events>, handwritten: Stream<Handwritten>, loose: Stream) => {
    stream.on("chat.posted", (e) => {
      expectTypeOf(e.data).toEqualTypeOf<{ text: string }>();
      expectTypeOf(e.id).toEqualTypeOf<string>();
      expectTypeOf(e.type).toEqualTypeOf<"chat.posted">();
      // @ts-expect-error: there is no such member
      e.data.txt;
    });
    // @ts-expect-error: there is no such type
    stream.on("chat.edited", () => {});
    handwritten.on("a.b", (e) => expectTypeOf(e.data).toEqualTypeOf<number>());
    loose.on("whatever", (e) => expectTypeOf(e.data).toEqualTypeOf<unknown>());
    stream.onUnknown((e) => expectTypeOf(e.type).toEqualTypeOf<string>());
  };
  const loop = async (stream: Stream<Events>) => {
    for await (const e of stream) {
      if (e.type === "chat.typing") expectTypeOf(e.data.who).toEqualTypeOf<string | null>();
      // The union of the generated module has room for it.
      const any: AnyEvent<Events> = e;
      expectTypeOf(any.id).toEqualTypeOf<string>();
    }
  };
  expectTypeOf(check).toBeFunction();
  expectTypeOf(loop).toBeFunction();
});
