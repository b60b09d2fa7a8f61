// Listens on Node, Deno or Bun, and ends when it has heard "the last".

import process from "node:process";
import { connect } from "crier";

const { SERVER, TRANSPORT } = process.env;
const stream = connect(`${SERVER}/events`, { ws: `${SERVER}/ws`, poll: `${SERVER}/poll`, transports: [TRANSPORT] });
stream.onStatus((status) => console.log(`status ${status.state} ${status.transport}`));
for await (const e of stream) {
  console.log(`heard ${e.data}`);
  if (e.data === "the last") break;
}
stream.close();
