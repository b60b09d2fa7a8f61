// Package e2e drives the chat as its users do, from outside: the built program,
// a real browser, and event stream clients that others have written. There is
// nothing to import here.
//
// # What it drives
//
//   - Chromium, headless, with a separate browser context for every person: two
//     people over SSE and WebSocket, direct messages, rooms, filters, a pulled plug, a
//     change of transport, a restart of the server and a crash, gaps, phones, the
//     dark. A script in the page notes every frame as the browser hands it over, so
//     that a message that came twice is noticed though the page would hide it.
//   - An EventSource against small servers made with the library, for what the
//     chat cannot show: overload, revocation, many tabs, HTTP/2.
//   - An EventSource that is opened by a ticket, in Chromium and in Firefox: it is
//     cut after the ticket has expired, and comes back by the cookie, or with a new
//     ticket where cookies of another site are blocked.
//   - The pages of examples/htmx and examples/datastar: HTML that comes by events,
//     whatever is in it, through a cut and a proxy's 502. The page of examples/tokens:
//     an answer that is cut while it is generated.
//   - The debug page, as whoever is on call uses it: why a user did not get an event,
//     from the search box to the answer; and on a phone.
//   - Compressed streams: Chromium and Firefox, with nginx in between or without,
//     curl and Node's fetch.
//   - The npm packages eventsource, undici and ws, in clients: each reads a few
//     hundred messages over a line that keeps breaking, and must have every one
//     of them once.
//
// # How to run it
//
//	make e2e                                # in the root of the repository
//	npm ci --prefix clients && go test ./...  # here
//
// It needs Chromium (Debian: apt install chromium; another with -chromium),
// Firefox (Debian: apt install firefox-esr) and Node.js 20 or later with npm.
// Without them the tests that need them are skipped and say what is missing; with
// CI=true or REQUIRE=1 in the environment, they fail.
//
// Screenshots of the main states, and of every tab of a test that failed, are
// written to out, or to the directory that CRIER_SHOTS names.
//
// This is a module of its own, so that nobody who uses Crier downloads what
// drives a browser.
package e2e
