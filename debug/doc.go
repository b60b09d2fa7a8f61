// Package debug serves a page on which an operator sees how a hub fares, and why a
// user did or did not receive an event.
//
// The page is one URL. Its views are chosen by the query, so that it can be mounted
// anywhere:
//
//	(none)                     totals, rates of the last 15 minutes, kinds, backplane
//	?view=streams&q=...        open streams; q is part of a user, session or address
//	?view=user&user=...        one user: streams, retained events, a live tail
//	?view=user&user=&event=... what became of one event for that user
//
// With format=json, each view is JSON for scripts.
//
// Payloads are masked unless [WithPayloads] is given. The page changes nothing
// unless [WithTestPublish] is given.
package debug
