// Package postgres is a backplane over tables in an application's own PostgreSQL
// database. It needs no other server than the one that the application has, and
// it is the only backplane with which an event can be part of a transaction.
//
//	b, err := postgres.New("postgres://app@db.example/app", nil)
//	...
//	h, err := hub.Open(ctx, registry, &hub.Options{Backplane: b})
//
// PostgreSQL 14 or later is needed. Tests run with version 15.
//
// # How it works
//
// [Backplane.Append] and [Backplane.PublishTx] insert a row into the table
// crier.outbox, without a position. One of all processes, the one that holds an
// advisory lock, moves committed rows to the table crier.log and gives them
// positions, many in one short transaction, and then sends one NOTIFY. Every
// process reads crier.log by position.
//
// So a position is given after the commit. A transaction that inserts early and
// commits late gets a late position; nobody waits for it, and nobody skips it.
// Transactions of others, however long they last, delay nothing. The caller's
// transaction takes no lock that others want and sends no NOTIFY, which would
// hold a lock of the whole server during the commit.
//
// The process that numbers is one that runs [Backplane.Follow]. If it is killed,
// another one takes over within about 0.3 seconds; if it hangs or its machine is
// gone, the server ends its session after 1.5 seconds. In between, records wait in
// the outbox. If two sessions numbered at once, because a lock failed, they would
// give out the same position, which is the primary key: one of them fails.
//
// # What an acknowledgement means
//
// Append returns nil after the commit, so what it means is decided by the
// setting synchronous_commit of the role or the database:
//
//   - on, without synchronous standbys (the default): the record is on the disk
//     of the server. It survives a crash of the server, not the loss of its disk.
//   - on or remote_apply, with synchronous_standby_names: it is also on the disk
//     of a standby.
//   - off: Append and the process that numbers use on instead, because followers
//     must not see what a crash can take back. InsertTx leaves the caller's
//     transaction as it is: if a crash loses it, the record is lost with it, and
//     nobody has seen it.
//
// A server with fsync=off does not keep these promises, and is not noticed.
//
// # Failover
//
// The epoch consists of the server's system identifier and timeline, the
// database, the table, and a random name in it. A restart or a crash of the
// server does not change it. The promotion of a standby does, because PostgreSQL
// does not tell whether the standby had received everything: every stream is told
// a gap, and goes on from the new head. So do a restored backup, a restored dump,
// a truncated or recreated table, and pg_upgrade. To reach the promoted server,
// name all hosts in the connection string, and target_session_attrs=read-write.
//
// Nobody but the backplane may write to crier.log and crier.state. A row of
// crier.log that somebody deletes by hand is a hole that nobody is told.
//
// # Poolers
//
// LISTEN and session locks do not work behind PgBouncer in transaction mode and
// its like. With [Options].Direct, the backplane uses a direct connection for
// both, and the pooler for everything else. Without it, the backplane notices the
// pooler (the server's process id is not the one that it was told) and works by
// polling: every process reads the log every Options.Poll while nothing happens,
// and one of them at a time numbers, with a lock for each transaction. Idle
// processes then cost the server two queries per Poll each.
//
// # Rates and latency
//
// Measured on a machine with 2 cores that was busy with other work, records of
// 256 bytes, server and process on the same machine, every commit on disk; go test
// -bench measures yours. 16 goroutines append 0.5 to 0.6 times as many records as
// 16 clients of pgbench insert rows (2,700 to 5,000 a second), 64 goroutines 0.9 to
// 1.2 times as many as 64 clients (6,600 to 10,600), while all of them get
// positions and are followed. From the call of Append to the follower, with one
// record every 20 to 30 ms, the median was 7 to 19 ms, and from the begin of a
// transaction with PublishTx 12 to 16 ms: two commits, and up to Options.Poll. A
// process that follows needs 0.7 microseconds of processor time for each record,
// and reads 50,000 retained ones in 0.1 to 0.3 seconds. While nothing happens, the
// process that numbers and the server each use 2 to 3 percent of a core.
//
// Choose this backplane if the database is there anyway, or if events have to be
// part of its transactions, and some thousands of events a second are enough.
// Every event is written to the disk of the database twice. For many ephemeral
// events, such as the pieces of an answer that is being written, NATS or Redis
// cost less, and are faster.
//
// # Tables
//
// Tail, and so hub.Open, creates the tables. Where the role may not do that, run
// what [Schema] returns as a migration. Records are removed by Options.MaxAge
// and Options.MaxRecords, and earlier if they have a life of their own. The tables
// have autovacuum settings for many short-lived rows.
package postgres
