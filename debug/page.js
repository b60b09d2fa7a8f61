"use strict";
// Follow replaces the list of a user's events every second. It opens no stream, so
// that it counts against no limit of the user.
const tail = document.getElementById("tail");
async function refresh() {
  if (!tail.checked) return;
  try {
    const answer = await fetch(location.href);
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("events");
    if (answer.ok && next) document.getElementById("events").replaceWith(next);
  } finally {
    setTimeout(refresh, 1000);
  }
}
if (tail) tail.addEventListener("change", refresh);
