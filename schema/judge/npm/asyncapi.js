// Reads an array of AsyncAPI documents from the standard input and prints what
// their parser says about each: an array of diagnostics, empty for a good one.
import { text } from "node:stream/consumers";
import { Parser } from "@asyncapi/parser";

const parser = new Parser();
const all = [];
for (const source of JSON.parse(await text(process.stdin))) {
  const { document, diagnostics } = await parser.parse(source);
  if (!document && diagnostics.length === 0) {
    diagnostics.push({ message: "there is no document and no reason" });
  }
  all.push(diagnostics.map(({ severity, message, path }) => ({ severity, message, path })));
}
console.log(JSON.stringify(all));
