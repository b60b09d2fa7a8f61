// Package redis connects the hubs of several processes through a Redis Stream.
// It implements [hub.Backplane] over Redis 7.0 or later, or Valkey.
//
//	client := goredis.NewClient(&goredis.Options{Addr: "localhost:6379"})
//	h, err := hub.Open(ctx, registry, &hub.Options{Backplane: redis.New(client, nil)})
//
// All processes use one stream, "crier" by default. Each follows it from its
// beginning on a connection of its own; publishing goes through the client's
// pool. Two applications on one server need two names in Options.Stream.
//
// # What an acknowledgement means
//
// When Append returns nil, the server has executed the XADD: the record is in
// its memory and has its position. Whether it is also on the server's disk is a
// setting of the server:
//
//   - appendonly yes with appendfsync always: it is on the disk.
//   - appendonly yes with appendfsync everysec, Redis's default for AOF: a power
//     failure loses about the last second.
//   - RDB snapshots only: a crash loses what came after the last snapshot.
//   - neither: a restart loses everything.
//
// Replication is asynchronous. Options.Replicas makes Append wait until replicas
// have received the record (WAIT). That makes a loss in a failover less likely
// and does not rule it out: Redis may promote a replica that had not received
// the record. The server's setting min-replicas-to-write narrows it further.
//
// An error that wraps hub.ErrUnavailable leaves open whether the record was
// appended.
//
// # What happens at a restart and at a failover
//
// Redis does not say whether it has lost acknowledged records, and after a
// failover it gives the positions of lost records out again. So every restart
// and every failover is a new epoch: each Follow ends, and the hub goes on as it
// does in a new epoch, and tells streams a gap. While there is no master, Append
// fails with hub.ErrUnavailable, after the retries that the client's options
// ask for.
//
// The epoch consists of the server's master_replid and of an identity that is
// created and deleted with the stream. It changes when
//
//   - the server restarts, with its data or without;
//   - a replica is promoted, by Sentinel, by a cluster or by hand;
//   - the stream is deleted or evicted (DEL, FLUSHALL), which Tail then creates
//     anew;
//   - the stream's slot moves to another node of a cluster;
//   - a server without a replication backlog gets its first replica, or has had
//     no replica for repl-backlog-ttl (1 hour). This is the one case in which
//     nothing was lost. Attach replicas before the application starts, and set
//     repl-backlog-ttl to 0.
//
// A broken connection alone changes nothing: the hub follows on from where it
// was. Follow notices a dead connection within 5 seconds, and a new epoch within
// about a second of the new master's first answer.
//
// # Servers
//
// A *redis.Client works with one server, with a proxy or a DNS name in front of
// several, and with Sentinel (redis.NewFailoverClient). A *redis.ClusterClient
// works as well; one stream is on one node, so a cluster adds no throughput. A
// client that reads from replicas is not needed and not used: all reading and
// writing goes to the master. redis.NewRing does not work.
//
// Tail refuses servers and streams on which records would be lost without a
// word: see [Backplane.Tail]. The ACL of a user that may do what this package
// does is
//
//	~crier +xadd +xread +xtrim +xinfo +xgroup +pttl +exists
//	+info +time +wait +eval +evalsha +ping +hello +auth +select +client
//
// # What the stream retains
//
// Options.MaxRecords and Options.MaxAge bound the stream. A record with a Life
// is retained like the others: a stream cannot drop single records early. The
// memory in Redis is 65 bytes for each record beside its data. A process that
// starts reads all of it.
//
// A Follow that is slower than the stream is trimmed ends, and the hub tells a
// gap. Entries are 0-1, 0-2 and so on, each with a field "r": the record's id
// (16 bytes) and its data. The groups crier:... and crier.at:... hold the
// identity and the ages; nobody reads through them.
//
// # Measured
//
// On two cores with the server on the same machine, records of 300 bytes, Redis
// 7.0 without persistence, go test -bench: 64 goroutines append 310,000 records
// a second, 0.55 to 0.75 of what redis-benchmark reaches in the same run with as
// many commands under way (-c 4 -P 16). Follow takes 0.9 us of CPU per record,
// no more than go-redis's XRead alone. From Append to apply p50 is 21 us, 1.9
// round trips of a PING.
//
// The client library is go-redis and not rueidis because, in the same
// measurement, it appended 1.3 to 1.7 times as many records (its commands can be
// reused, so that an Append allocates 80 bytes) and took about 10 % less time to
// read a stream; and because more applications have a go-redis client already.
package redis
