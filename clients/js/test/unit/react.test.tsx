// @vitest-environment happy-dom

import { act, StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Options } from "../../src/crier.js";
import { useEvent, useStatus, useStream } from "../../src/crier-react.js";
import { pass, useNet } from "./net.js";

const here = useNet();
const EVENTS = "https://app.test/events";
type Events = { "chat.posted": string };

let heard: string[] = [];
beforeEach(() => {
  heard = [];
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
});

function Chat({ url = EVENTS, options }: { url?: string; options?: Options }) {
  const stream = useStream<Events>(url, options);
  const { state } = useStatus(stream);
  const [last, setLast] = useState("");
  useEvent(stream, "chat.posted", (e) => {
    heard.push(`${e.data} after ${last}`);
    setLast(e.data);
  });
  return (
    <p>
      {state}: {last}
    </p>
  );
}

async function show(node: React.ReactNode) {
  const place = document.createElement("div");
  const root = createRoot(place);
  const render = (node: React.ReactNode) => act(async () => root.render(node));
  await render(node);
  const settle = () => act(() => pass(10).then(() => {}));
  await settle();
  return { text: () => place.textContent, render, settle, unmount: () => act(async () => root.unmount()) };
}

describe("the hooks", () => {
  test("one connection, also in StrictMode", async () => {
    const { net } = here;
    const view = await show(
      <StrictMode>
        <Chat />
      </StrictMode>,
    );
    expect(net.attempts.length).toBe(1);
    expect(view.text()).toBe("open: ");
    net.last.send("e1", "chat.posted", "hello");
    await view.settle();
    net.last.send("e2", "chat.posted", "again");
    await view.settle();
    expect(view.text()).toBe("open: again");
    expect(heard).toEqual(["hello after ", "again after hello"]); // each once, and by the latest handler
    await view.unmount();
    expect(net.attempts[0]?.closed).toBe(true);
    await pass(60_000);
    expect(net.attempts.length).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("nothing is opened on a server", async () => {
    const { net } = here;
    vi.stubGlobal("location", undefined);
    expect(renderToString(<Chat url="/events" />)).toBe("<p>paused<!-- -->: </p>");
    await pass(60_000);
    expect(net.attempts).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("another filter changes the stream, another URL replaces it", async () => {
    const { net } = here;
    const view = await show(<Chat options={{ topics: ["room:1"] }} />);
    net.last.send("e1", "chat.posted", "hello");
    await act(() => pass(1000).then(() => {}));
    await view.render(<Chat options={{ topics: ["room:1"] }} />); // the same, though another object
    await view.settle();
    expect(net.attempts.length).toBe(1);
    await view.render(<Chat options={{ topics: ["room:2"] }} />);
    await act(() => pass(1000).then(() => {}));
    expect(net.attempts.length).toBe(2);
    expect(Object.fromEntries(net.last.attempt.url.searchParams)).toEqual({ last_event_id: "e1", topics: "room:2" });
    await view.render(<Chat url="https://app.test/other" options={{ topics: ["room:2"] }} />);
    await view.settle();
    expect(net.attempts.map((a) => [a.url.pathname, a.closed])).toEqual([["/events", true], ["/events", true], ["/other", false]]);
    await view.unmount();
  });

  test("the token is that of the last render", async () => {
    const { net } = here;
    const view = await show(<Chat options={{ token: () => "t1" }} />);
    expect(net.last.attempt.headers.get("authorization")).toBe("Bearer t1");
    await view.render(<Chat options={{ token: () => "t2" }} />);
    net.last.close();
    await act(() => pass(10_000).then(() => {}));
    expect(net.last.attempt.headers.get("authorization")).toBe("Bearer t2");
    await view.unmount();
  });

  test("a stream of another making", async () => {
    const { net } = here;
    const { connect } = await import("../../src/crier.js");
    const open = vi.fn((url: string | URL, options: Options) => connect<Events>(`${url}?shared`, options));
    function Page() {
      const stream = useStream<Events>(EVENTS, {}, open);
      return <p>{useStatus(stream).state}</p>;
    }
    const view = await show(<Page />);
    expect(net.last.attempt.url.search).toBe("?shared");
    expect(view.text()).toBe("open");
    await view.unmount();
  });
});
