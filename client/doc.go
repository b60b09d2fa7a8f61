// Package client listens to a stream of events from a Go program: a Crier
// server's, over Server-Sent Events or WebSocket, or any other server's
// Server-Sent Events.
//
//	stream, err := client.Dial(ctx, "https://app.example.com/events", &client.Options{
//		Token: token, // func(context.Context) (string, error)
//		OnGap: func(client.Gap) { reload() },
//	})
//	if err != nil {
//		return err
//	}
//	defer stream.Close()
//	for e, err := range stream.Events() {
//		if err != nil {
//			return err
//		}
//		if e.Type == Posted.Info().Type {
//			message, err := client.Payload(Posted, e)
//			...
//		}
//	}
//
// The scheme of the URL chooses the transport: http and https mean Server-Sent
// Events, ws and wss mean WebSocket. Events and guarantees are the same on both.
//
// # What is guaranteed
//
// The stream reconnects by itself and resumes after the last event that it has
// handed out. Nothing is delivered twice. What the server can no longer replay
// is reported as a gap: to [Options.OnGap], or, if that is nil, as a
// [GapError] that ends the loop, so that no event is lost silently. (Events of
// ephemeral kinds are outside this guarantee.)
//
// Between processes, save [Stream.LastID] after you have handled an event and
// pass it as [Options.LastID] to resume there.
//
// # Reconnecting
//
// After a connection is lost, the stream waits for the time that the server has
// asked for, or up to a quarter longer. If the server has not asked for any, or
// if attempts fail, the wait is random between 0.5 s and a bound that doubles
// with every failure, up to 20 s. Attempts are never less than 500 ms apart.
//
// A connection on which nothing arrives for one and a half times
// [Options.Heartbeat] is dead and is replaced.
//
// The stream ends for good when the server answers 401, 403 or 204 and
// [Options.Token] has no other token, when an event exceeds [Options.MaxEvent],
// and when its context ends. On the first connection it also ends for every
// answer that shows that the URL is wrong; see [Dial].
//
// # Other servers
//
// Events that have no name have the type "message", as in a browser. Types that
// begin with "stream." belong to Crier's protocol and are not delivered. Set
// Options.Heartbeat to -1 unless the server sends something regularly. To read a
// text/event-stream that does not come from a GET request, use a [Reader].
package client
