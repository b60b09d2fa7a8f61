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
// Streams are shown 100 at a time; after=N continues behind stream N. Of a user's
// log, 50 events are shown at a time; before=C and after=C show those that are older
// or newer than the cursor C. Bad values are a 400, an event of which nothing is
// known a 404.
//
// With format=json, each view is JSON for scripts. There, next is the after of the
// next page of streams, and older and newer are the before and the after of the
// pages of a log; they are left out where there is nothing more.
//
// Payloads are masked unless [WithPayloads] is given. The page changes nothing
// unless [WithTestPublish] is given.
//
// A view looks at every stream or log of the hub where it must, and takes some tens
// of milliseconds with 100,000 of them. It holds no lock for long, so that publishes
// and other streams go on meanwhile. The sparklines are sampled in this process: they
// begin when the handler is made.
package debug
