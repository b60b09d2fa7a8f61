package redis

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/hub"
)

// Options set up a [Backplane]. The zero value of every field means its
// default, and nil Options mean all defaults. A value out of range is a
// programming error: New panics.
//
// All processes on one stream must use the same Stream, MaxRecords and MaxAge.
type Options struct {
	// Stream is the key of the Redis Stream. Default "crier". Processes with
	// the same key in the same database share one sequence. Nothing else may
	// write to the key.
	Stream string
	// MaxRecords is how many records the stream retains. Redis removes whole
	// nodes of its radix tree (100 records by default), so it retains slightly
	// more. Default 100,000. It bounds the memory in Redis (with MaxRecord)
	// and how much a starting process reads.
	MaxRecords int
	// MaxAge is how long the stream retains a record, by the clock of the
	// Redis server. Records are removed up to MaxAge/8 late, and only while a
	// process follows the stream. Default 1 hour, at least 1 second.
	MaxAge time.Duration
	// MaxRecord is the largest record, in bytes of Record.Data. Append refuses
	// a larger one with a hub.RecordTooLargeError. Default 16 MiB, at most
	// 512 MB less 1 KiB, which is what Redis accepts in one value.
	MaxRecord int
	// Replicas is how many replicas must have received a record before Append
	// returns nil (the command WAIT). Default 0: Append does not wait for
	// replicas. It makes it less likely that a failover loses an acknowledged
	// record, and does not rule it out: Redis may promote a replica that had
	// not received the record, and WAIT says nothing about disks. If fewer
	// replicas answer within ReplicaTimeout, Append returns an error that wraps
	// hub.ErrUnavailable, although the record is in the stream.
	Replicas int
	// ReplicaTimeout is how long Append waits for Replicas. Default 1 second.
	// It must be shorter than the client's ReadTimeout.
	ReplicaTimeout time.Duration
}

const (
	maxBulk   = 512<<20 - 1<<10 // proto-max-bulk-len, less our header
	markEvery = 8               // age marks per MaxAge
)

func (o *Options) resolved() Options {
	var r Options
	if o != nil {
		r = *o
	}
	set := func(name string, v *int, fallback, limit int) {
		if *v == 0 {
			*v = fallback
		}
		if *v < 0 || *v > limit {
			panic(fmt.Sprintf("redis: Options.%s is %d, which is not within 0 to %d", name, *v, limit))
		}
	}
	if r.Stream == "" {
		r.Stream = "crier"
	}
	set("MaxRecords", &r.MaxRecords, 100_000, 1<<30)
	set("MaxRecord", &r.MaxRecord, 16<<20, maxBulk)
	set("Replicas", &r.Replicas, 0, 1000)
	if r.MaxAge == 0 {
		r.MaxAge = time.Hour
	}
	if r.MaxAge < time.Second {
		panic(fmt.Sprintf("redis: Options.MaxAge is %v, which is shorter than a second", r.MaxAge))
	}
	if r.ReplicaTimeout == 0 {
		r.ReplicaTimeout = time.Second
	}
	if r.ReplicaTimeout < time.Millisecond {
		panic(fmt.Sprintf("redis: Options.ReplicaTimeout is %v, which is shorter than a millisecond", r.ReplicaTimeout))
	}
	return r
}

// A Backplane is a [hub.Backplane] over one Redis Stream. Make one with [New]
// for each hub; all methods are safe for concurrent use. It must not be copied.
//
// It has no Close: its goroutines live while a method runs or, after an Append
// whose context ended, until the client's own timeouts are over. Close the
// client after the hub has been shut down.
type Backplane struct {
	client  redis.UniversalClient
	options Options

	// epoch is the epoch that the last Tail returned, empty before the first.
	// Follow ends when the server's is another one.
	epoch atomic.Value // string

	idle sync.Pool // of *pending

	mu      sync.Mutex
	waiting []*pending // Appends that no flush has taken
	flushes int        // running
}

var _ hub.Backplane = (*Backplane)(nil)

// New returns a backplane that uses client, which must be a *redis.Client (also
// one of redis.NewFailoverClient) or a *redis.ClusterClient; of another one,
// every method returns an error. The client remains the caller's, who may use
// it for other things. New does not connect to the server. Nil options mean the
// defaults.
//
// The client's ReadTimeout bounds how long an Append waits on a connection that
// is dead; a client without one is refused by Tail.
func New(client redis.UniversalClient, o *Options) *Backplane {
	if client == nil {
		panic("redis: New: the client is nil")
	}
	return &Backplane{client: client, options: o.resolved()}
}
