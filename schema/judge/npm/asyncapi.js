// Reads an AsyncAPI document from the standard input and prints what its parser
// says about it: an array of diagnostics, which is empty for a good one.
import { text } from "node:stream/consumers";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(await text(process.stdin));
if (!document && diagnostics.length === 0) {
  diagnostics.push({ message: "there is no document and no reason" });
}
console.log(JSON.stringify(diagnostics.map(({ severity, message, path }) => ({ severity, message, path }))));
