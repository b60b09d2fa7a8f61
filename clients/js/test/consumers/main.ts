import { connect } from "crier";
import { connect as connectShared } from "crier/shared";

type Events = { "test.text": string };

const last = document.querySelector("#last") as HTMLElement;
const stream = connect<Events>("/events");
stream.on("test.text", (e) => (last.textContent = e.data));
stream.onStatus((status) => (last.dataset.state = status.state));

const shared = connectShared<Events>("/events", { user: "u" });
shared.on("test.text", (e) => (last.title = e.data));
shared.onStatus((status) => (last.dataset.shared = status.state));
