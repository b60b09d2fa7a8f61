// Package hub routes events to the streams that a user has open.
//
// An application makes one [Hub], publishes to it, and hands it to the
// transports. What it may rely on:
//
//  1. Order. All publishes of one hub have one order. Every subscriber sees
//     the events meant for it in that order, live and replayed alike.
//  2. No silent loss. Each event meant for a subscriber is delivered to it, or
//     covered by a gap that it is told of.
//  3. No duplicates, within a connection or across a resume.
//  4. Publish never waits for a subscriber, and a subscriber that stalls costs
//     the others nothing. Memory is bounded: by events, age and bytes.
//  5. Nobody hears what is not theirs. A client can narrow what its session
//     may see, never widen it.
//  6. Every stream ends for a recorded [Reason], and the client is told where
//     bytes can still follow.
//  7. A hub that is closed has left nothing behind: no goroutine, no
//     connection, no timer.
//
// # Logs and cursors
//
// There is no queue per subscriber. The hub keeps one bounded log per user and
// one for everyone, and a [Subscription] is a cursor into its user's log and
// into everyone's: a filter and a position. Being live, catching up and
// resuming after a cut are the same code at different distances from the head,
// so there is no joint between a queue and a history in which an event could
// be lost or doubled.
//
// A publish appends to its logs and wakes only the subscriptions that sleep
// there; one that is awake finds the new message by itself. Falling behind
// means that a log has evicted what the cursor still wanted: the subscription
// is told of the gap in place ([TypeGap]) and goes on from the oldest that is
// retained. Nothing is disconnected for that, and nothing loops: a client that
// is for ever slower than its stream gets gap, events, gap, events, as fast as
// it reads. One that cannot be written to at all is ended by its transport, as
// [ReasonSlow], and resumes when it comes back.
//
// # Rendering a page
//
// Take [Hub.Cursor] first, then read the state from the database, then stream
// from that cursor ([Request].After, or last_event_id in a client's URL). What
// is published between reading and streaming is replayed, so that nothing
// falls in between; what happened before the cursor is in the state already.
//
// # Identity of events
//
// Publish an event once. A client resumes from the id of the last event that
// it saw; an event that was published twice to the same user has two places in
// the order, and resuming goes on after the later one.
package hub
