// Package dashtam connects a hub with the Redis of a Python service that pushes
// events to its users by Pub/Sub. Crier's users hear what the service publishes,
// and the service's subscribers hear what Crier publishes, while both run side
// by side.
//
//	client := goredis.NewClient(&goredis.Options{Addr: "localhost:6379"})
//	bridge := dashtam.New(client, h, &dashtam.Options{Retention: true})
//	go func() { log.Fatal(bridge.Run(ctx)) }()
//	<-bridge.Ready() // then serve streams
//
// # What is in Redis
//
// The service publishes each event as JSON, in the storage form of package
// event, to the channel sse:user:{uuid} or sse:broadcast:
//
//	{"event_id": "...", "event_type": "...", "user_id": "...", "data": {...}, "occurred_at": "..."}
//
// With its retention on, it also adds each user's event to the stream
// sse:stream:user:{uuid}, with the fields event_id, event_type, data (JSON text)
// and occurred_at, MAXLEN ~ 1000, and a TTL of 3600 s that is set once, when the
// stream begins. [Bridge.Publish] and [Bridge.Broadcast] write the same forms,
// with times as Python's datetime.isoformat writes them (+00:00, microseconds).
//
// A bridge listens to the channels, and publishes to the hub what it hears, each
// event once for each user. Messages that it cannot publish, such as those of
// types that the hub's registry does not have, are counted ([Stats.Dropped]) and
// logged, each kind at most once a minute.
//
// # What an acknowledgement means
//
// When Publish returns nil, Redis has executed the PUBLISH, and with
// Options.Retention the XADD. Pub/Sub keeps nothing: subscribers that are not
// connected at that moment miss the message. The bridge's own hub hears it when
// it comes back.
//
// # After a lost connection
//
// The bridge makes a checkpoint once a second: everything that was published
// before it has been heard. When it listens again after a lost connection, it
// compares the server with the last checkpoint.
//
//   - If the server has executed no PUBLISH that was not heard (INFO
//     commandstats), nothing was missed, and nobody is told anything. A cluster
//     does not count that way.
//   - Else, with Options.Retention, it reads the streams of the users whom the
//     hub has (Hub.Users) from 10 seconds before the checkpoint on, and publishes
//     what is new. These users are complete, if their streams cannot have been
//     trimmed or have expired in between.
//   - Everyone else is told a gap (Hub.TellGap).
//   - Broadcasts are retained nowhere. Unless Options.NoBroadcasts says that there
//     are none, nobody is complete, and everyone is told a gap.
//
// After a restart or a failover of the server (master_replid has changed), all
// are told a gap, because Redis does not say what it has lost. A connection that
// is dead without saying so is noticed within 5 seconds.
//
// An event whose two writes lie more than 10 seconds apart, with a lost
// connection between them, may be missed.
//
// # Measured
//
// On two cores, which were busy, with the server on the same machine and events
// of 300 bytes, go test -bench: a bridge hears 50,000 to 70,000 events a second.
// From Publish, with both forms, to a stream of the hub p50 is 60 us, where a
// PING takes 16 us.
//
// # Permissions
//
// The ACL of the user is
//
//	~sse:stream:user:* &sse:user:* &sse:broadcast
//	+publish +subscribe +psubscribe +xadd +xrange +xinfo
//	+ttl +expire +eval +evalsha +info +time +ping +hello +auth +select +client
package dashtam
