// Hooks for React. A stream is made while rendering, which has no side effects, and
// connects in an effect. So nothing is opened on a server, StrictMode's second
// mount opens no second connection, and handlers of the same commit miss nothing.

import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { connect } from "./crier.js";
import type { EventMap, EventOf, Options, Status, Stream } from "./types.js";

type Connect<E extends EventMap<E>> = (url: string | URL, options: Options) => Stream<E>;

/**
 * Returns a stream that is connected while the component is mounted. Another URL
 * makes another stream; other categories or topics change the filter; of the
 * options, the first ones count otherwise. Where several components listen, call
 * it once, high up, and hand the stream down. To share a connection among tabs,
 * give a function that calls the connect of crier/shared as open.
 */
export function useStream<E extends EventMap<E> = EventMap>(url: string | URL, options: Options = {}, open: Connect<E> = connect<E>): Stream<E> {
  const latest = useRef(options);
  const filter = JSON.stringify([options.categories, options.topics]);
  const make = () => {
    const token = options.token && ((refused?: string) => latest.current.token?.(refused));
    return { url: String(url), filter, stream: open(url, { ...options, token, paused: true }) };
  };
  const [kept, keep] = useState(make);
  let made = kept;
  if (made.url !== String(url)) keep((made = make()));
  const { stream } = made;
  useEffect(() => {
    latest.current = options;
  });
  useEffect(() => {
    if (made.filter === filter) return;
    made.filter = filter;
    const { categories, topics } = latest.current;
    stream.filter({ categories, topics });
  }, [made, stream, filter]);
  useEffect(() => {
    stream.resume();
    return () => stream.pause();
  }, [stream]);
  return stream;
}

/** Calls the latest handler for every event of a type, while the component is mounted. */
export function useEvent<E extends EventMap<E>, T extends keyof E & string>(stream: Stream<E>, type: T, handler: (event: EventOf<E, T>) => void): void {
  const latest = useRef(handler);
  useEffect(() => {
    latest.current = handler;
  });
  useEffect(() => stream.on(type, (event) => latest.current(event)), [stream, type]);
}

/** Returns the stream's status, and renders again when it changes. */
export function useStatus<E extends EventMap<E>>(stream: Stream<E>): Status {
  const status = () => stream.status;
  return useSyncExternalStore(stream.onStatus, status, status);
}
