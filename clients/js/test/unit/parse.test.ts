import { describe, expect, test } from "vitest";
import { type Frame, MAX_FRAME, parser } from "../../src/parse.js";

function parse(...pieces: string[]) {
  const frames: (Frame | number)[] = [];
  const feed = parser(
    (f) => frames.push(f),
    (ms) => frames.push(ms),
  );
  for (const piece of pieces) feed(piece);
  return frames;
}

const cases: Record<string, [stream: string, frames: (Frame | number)[]]> = {
  "id, event, data": ["id: 1\nevent: a.b\ndata: {}\n\n", [{ id: "1", event: "a.b", data: "{}" }]],
  "no event": ["data: x\n\n", [{ id: "", event: "message", data: "x" }]],
  "an id is not inherited": ["id: 1\ndata: x\n\ndata: y\n\n", [{ id: "1", event: "message", data: "x" }, { id: "", event: "message", data: "y" }]],
  "several data lines": ["data: x\ndata: y\n\n", [{ id: "", event: "message", data: "x\ny" }]],
  "an empty data line": ["data\n\n", [{ id: "", event: "message", data: "" }]],
  "two empty data lines": ["data\ndata\n\n", [{ id: "", event: "message", data: "\n" }]],
  "no space after the colon": ["data:x\n\n", [{ id: "", event: "message", data: "x" }]],
  "only one space is dropped": ["data:  x\n\n", [{ id: "", event: "message", data: " x" }]],
  "a colon in the value": ["data: a:b\n\n", [{ id: "", event: "message", data: "a:b" }]],
  "an id alone": ["id: 7\n\n", [{ id: "7", event: "message", data: undefined }]],
  "an id with NUL is ignored": ["id: 1\0\ndata: x\n\n", [{ id: "", event: "message", data: "x" }]],
  "an event alone is nothing": ["event: a\n\ndata: x\n\n", [{ id: "", event: "message", data: "x" }]],
  "comments": [": hello\n\n:\n\ndata: x\n\n", [{ id: "", event: "message", data: "x" }]],
  "unknown fields": ["foo: 1\ndata: x\n\n", [{ id: "", event: "message", data: "x" }]],
  "retry": ["retry: 3000\n\n", [3000]],
  "retry that is no number": ["retry: 3s\nretry: -1\nretry:\n\n", []],
  "half a frame at the end": ["data: x\n\nid: 2\ndata: y\n", [{ id: "", event: "message", data: "x" }]],
  "fields are case sensitive": ["DATA: x\n\n", []],
};

describe("the parser", () => {
  for (const [name, [stream, frames]] of Object.entries(cases)) {
    test(name, () => expect(parse(stream)).toEqual(frames));
  }

  // The same, with every line end and cut at every place.
  for (const [name, end] of Object.entries({ LF: "\n", CR: "\r", CRLF: "\r\n" })) {
    test(`lines end with ${name}, pieces anywhere`, () => {
      for (const [stream, frames] of Object.values(cases)) {
        const text = stream.replaceAll("\n", end);
        expect(parse(text)).toEqual(frames);
        expect(parse(...text)).toEqual(frames);
        for (let i = 0; i <= text.length; i++) expect(parse(text.slice(0, i), "", text.slice(i))).toEqual(frames);
      }
    });
  }

  test("a frame of 1 MiB", () => {
    const data = "x".repeat(1 << 20);
    const text = `id: 1\ndata: ${data}\n\n`;
    const pieces: string[] = [];
    for (let i = 0; i < text.length; i += 16_000) pieces.push(text.slice(i, i + 16_000));
    expect(parse(...pieces)).toEqual([{ id: "1", event: "message", data }]);
  });

  test("a line without end", () => {
    const feed = parser(
      () => {},
      () => {},
    );
    const piece = "x".repeat(1 << 20);
    expect(() => {
      for (let i = 0; i <= MAX_FRAME; i += piece.length) feed(piece);
    }).toThrow(RangeError);
  });

  test("a frame without end", () => {
    const feed = parser(
      () => {},
      () => {},
    );
    const line = `data: ${"x".repeat(1 << 20)}\n`;
    expect(() => {
      for (let i = 0; i <= MAX_FRAME; i += line.length) feed(line);
    }).toThrow(RangeError);
  });
});
