// Package natsembedded runs a NATS server with JetStream inside the process.
//
// With it, an application on one machine survives its own crash: events that
// Publish acknowledged are in the server's files, and the process that starts
// next serves them to clients that resume.
//
//	server, err := natsembedded.Open("/var/lib/app/events", nil)
//	...
//	defer server.Close()
//	h, err := hub.Open(ctx, registry, &hub.Options{
//		Backplane: nats.New(server.Conn(), nil), // backplane/nats
//	})
//
// The server opens no port unless [Options.Listen] says so; then other processes
// can use it, too.
//
// It is a module of its own because the server is several times as large as the
// client: who uses a NATS server that runs elsewhere needs only backplane/nats.
//
// # What an acknowledgement means
//
// The server has written the record to its file, but by default it calls fsync
// later ([Options.SyncInterval]). A process that is killed loses nothing, as the
// operating system has the data. A machine that loses power, or whose kernel
// panics, loses the records since the last fsync, although they were
// acknowledged. [Options.SyncAlways] calls fsync before each acknowledgement,
// which concurrent publishes do not share: on the disk of a virtual machine we
// measured 200 to 800 records a second with it, and 6,000 to 30,000 without.
//
// Without SyncAlways, Open knows by the machine's boot id whether that may have
// happened, and gives the streams a new epoch then: clients are told of a gap,
// and none resumes from a position that now belongs to another event.
package natsembedded
