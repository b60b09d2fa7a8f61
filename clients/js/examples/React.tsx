// React: the hooks of crier/react.
import { useEvent, useStatus, useStream } from "crier/react";
import { useEffect, useState } from "react";

type Events = { "test.text": string };

export function Texts() {
  const stream = useStream<Events>("/events");
  const status = useStatus(stream);
  const [texts, setTexts] = useState<string[]>([]);
  useEvent(stream, "test.text", (e) => setTexts((all) => [...all, e.data]));
  useEffect(() => stream.onGap(() => location.reload()), [stream]);
  return (
    <>
      <p>{status.state}</p>
      <ul>
        {texts.map((text, i) => (
          <li key={i}>{text}</li>
        ))}
      </ul>
    </>
  );
}
