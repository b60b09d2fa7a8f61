"use strict";
// A checkbox with data-follow replaces the element with that id every second, by what
// the server shows now. It opens no stream, so that it counts against no limit of the
// user whose events are followed. What is shown while there is no answer is old: the
// label says so.
for (const box of document.querySelectorAll("[data-follow]")) {
  const id = box.dataset.follow;
  const label = box.parentElement;
  let running = false;
  async function refresh() {
    running = box.checked;
    if (!running) return;
    try {
      const answer = await fetch(location.href);
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
      if (answer.ok && next) document.getElementById(id).replaceWith(next);
      label.dataset.state = answer.ok ? "" : answer.statusText;
    } catch {
      label.dataset.state = "no answer";
    } finally {
      setTimeout(refresh, 1000);
    }
  }
  box.addEventListener("change", () => running || refresh());
}
