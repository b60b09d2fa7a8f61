// The parser of text/event-stream (WHATWG HTML, section 9.2.6), fed with text in
// pieces of any size. The byte order mark is the decoder's business.

/** The most characters in one frame. */
export const MAX_FRAME = 16 << 20;

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
export function parser(frame: (f: Frame) => void, retry: (ms: number) => void): (piece: string) => void {
  let rest = ""; // the beginning of a line that is not complete
  let afterCR = false; // the last piece ended with CR, and an LF may follow it
  let id = "";
  let event = "";
  let data: string | undefined;

  const line = (text: string) => {
    if (text === "") {
      if (data !== undefined || id) frame({ id, event: event || "message", data });
      id = event = "";
      data = undefined;
      return;
    }
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(text) as string[];
    if (field === "data") {
      data = data === undefined ? value : `${data}\n${value}`;
    } else if (field === "event") {
      event = value;
    } else if (field === "id") {
      if (!value.includes("\0")) id = value;
    } else if (field === "retry" && /^\d+$/.test(value)) {
      retry(Number(value));
    }
  };

  return (piece) => {
    if (!piece) return;
    const lines = piece.slice(afterCR && piece[0] === "\n" ? 1 : 0).split(/\r\n?|\n/);
    afterCR = piece.endsWith("\r");
    lines[0] = rest + lines[0];
    rest = lines.pop() as string;
    for (const text of lines) line(text);
    if (rest.length + (data ?? "").length > MAX_FRAME) throw new RangeError("a frame is too big");
  };
}
