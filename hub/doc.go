// Package hub routes events to the streams that users have open.
//
// An application makes one [Hub], publishes to it, and hands it to the
// transports, which serve its streams over HTTP. The hub promises:
//
//  1. Order. All publishes of one hub are totally ordered. Every subscriber sees
//     the events meant for it in that order, live and replayed alike.
//  2. No silent loss. Each event meant for a subscriber is delivered to it, or
//     covered by a gap that it is told of. Kinds that are [event.Ephemeral] are
//     outside this promise: they reach whoever is connected, as well as can be.
//  3. No duplicates, within a connection or across a resume.
//  4. Publish never waits for a subscriber, and a subscriber that stalls costs
//     the others nothing. Memory is bounded: by events, age and bytes.
//  5. Isolation. A subscriber receives only what is meant for its user and for
//     the topics that it may follow. A client can narrow what its session may
//     see, never widen it.
//  6. Every stream ends for a recorded [Reason], and the client is told the
//     reason where bytes can still reach it.
//  7. A hub that was shut down has left nothing behind: no goroutine, no
//     connection, no timer.
//
// # Audiences
//
// [Hub.Publish] sends an event to its user: to every stream that the user has
// open. [Hub.PublishTo] sends it to any [Audience]: users, topics, or everyone. A
// topic is a name that the application chooses, such as "document:42". A stream
// follows the topics that its client asks for and its [Session] may follow;
// [Hub.Join] and [Hub.Leave] change that for streams that are open.
//
// # Logs and cursors
//
// A subscriber has no queue. The hub keeps one bounded log per user, one per topic
// and one for everyone. A [Subscription] is a cursor into the logs that it
// follows: a position and a filter. Live delivery, catching up and resuming after
// a cut are the same code at different distances from the head.
//
// A publish appends to its logs and wakes only the subscriptions that sleep there;
// one that is awake finds the new message by itself. A subscription falls behind
// if a log evicts what it still wanted. It is then told of the gap, in place (see
// [TypeGap]), and goes on from the oldest event that is retained. It is not
// disconnected. A client that is always slower than its stream receives gap,
// events, gap, events, as fast as it reads. A client that cannot be written to at
// all is ended by its transport, as [ReasonSlow], and resumes when it comes back.
//
// # Rendering a page
//
// Call [Hub.Cursor] first, then read the state from the database, then let the page
// stream from that cursor ([Request].After, or last_event_id in a client's URL).
// Events that are published between reading and streaming are replayed; what
// happened before the cursor is in the state already. (Ephemeral events are not
// replayed.)
//
// # Identity of events
//
// Publish an event once. A client resumes from the id of the last event that it
// saw. An event that was published twice to the same user has two positions, and
// resuming goes on after the later one. With a backplane, publishing the same
// event to the same audiences again delivers it once.
//
// # Several processes
//
// [Open] connects a hub to a [Backplane], which the hubs of all processes share.
// The promises then hold across processes. A hub without a backplane knows nothing
// of the others. If it is given a cursor that another hub has made, more than five
// minutes after it began, it logs a warning, at most once a minute: either several
// processes run without a backplane, or a client has come back that was away since
// before this process began.
//
// # Finding out what happened
//
// [Hub.Streams] describes the streams of a user, with those that have ended, and
// [Hub.Explain] says what became of an event for each of them. An [Observer] is
// told what happens, and [Hub.Stats] counts it. What is logged, with which keys, is
// listed in docs/logs.md of this module.
//
// # For authors of transports
//
// Applications do not need the rest of this section. A transport calls
// [Hub.Subscribe] and writes what [Subscription.Take] returns. [Request].Notify or
// [Subscription.Ready] say when to call Take again; [Subscription.Wake] lets the
// transport's own timers come the same way. [Message.Frame] returns a message in
// an [Encoding], encoded once for all subscriptions. [Subscription.End] ends a
// stream for a reason, [Subscription.OnEnd] and [Subscription.OnAbort] report that
// the hub does, and [Subscription.Close] releases it. [Hub.Report] takes errors
// that have no caller.
package hub
