// Package nats connects the hubs of several processes through NATS JetStream.
//
//	nc, err := natsgo.Connect("nats://127.0.0.1:4222", nats.ConnectOptions()...)
//	...
//	defer nc.Close()
//	h, err := hub.Open(ctx, registry, &hub.Options{
//		Backplane: nats.New(nc, &nats.Options{Replicas: 3}),
//	})
//
// Records stand in one stream with one subject. The stream's sequence number is
// the position, and its time of creation, with a random value in its metadata,
// the epoch. The stream is created with file storage and bounds of age, count
// and bytes; one that exists is checked, and its bounds are set.
//
// It is tried with servers of version 2.15. It needs stream metadata (2.10), and
// removes short-lived records early where messages can have a TTL (2.11). Package natsembedded (a module of its own) runs a
// server inside the process.
//
// # What an acknowledgement means
//
// One replica: the server has written the record to its file, and calls fsync
// later, every 2 minutes unless its configuration says otherwise. The record
// survives a server that is killed, but not a machine that loses power. The
// server's setting sync_interval: always closes that window, for the price of an
// fsync per record.
//
// Three replicas: two of three servers have written the record, with fsync as
// above. It survives the loss of any one server. It does not survive power
// failure of two machines at once, unless they fsync.
//
// # What happens at failover
//
// When the server of a connection is killed, the client reconnects to another
// one; Follow ends, and the hub follows again from where it was. When the server
// that leads the stream is killed, the others elect a new leader, which takes 4
// to 9 seconds. Append waits for it (Options.Timeout is 10 seconds for that
// reason), and repeats what was not acknowledged: 7 seconds was the longest
// in our tests. The stream knows repetitions
// by their Nats-Msg-Id for 2 minutes, the hub for as long as it retains events.
// The epoch stays, no client is told of a gap.
//
// When the stream is deleted and created again, the epoch is a new one, and
// every client is told of a gap. The same happens when a process sees that the
// stream ends before a position that it knows: the server has lost acknowledged
// records. A stream that was restored from a backup while no process ran cannot
// be told from one that lost nothing: call [NewEpochs] after a restore.
//
// # What it costs
//
// Measured with a server of version 2.15 in another process, on the same machine
// with two cores, which was busy with other work: look at the ratios, medians of
// five runs in turn, rather than at the rates. One replica, file storage, 256
// bytes for each record. The reference is the client library's asynchronous
// publish with the same number on their way, as in nats bench js pub --async,
// without and with the Nats-Msg-Id that drops repetitions. The benchmarks are
// those of module natsembedded.
//
//	                              rate      of the reference
//	Append, 512 at a time         45,000/s  0.61; with Nats-Msg-Id 1.0
//	Append, 64 at a time          39,000/s  0.40; with Nats-Msg-Id 0.74
//	Append, one at a time         17,000/s  0.95; with Nats-Msg-Id 1.06
//
//	from Append until applied     p50 40 us; a synchronous publish alone: 23 us
//	Follow                        2.7 us of CPU per record; the library's ordered consumer: 2.3 us
//	50,000 retained records       are read in 0.3 to 0.5 s
package nats
