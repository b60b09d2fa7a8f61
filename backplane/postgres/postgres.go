package postgres

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/crier-go/crier/hub"
)

// Options set up a [Backplane]. The zero value of every field means its
// default, and nil Options mean all defaults.
//
// All processes on one sequence must use the same Schema, MaxRecords and MaxAge.
type Options struct {
	// Schema is the PostgreSQL schema of the tables. Default "crier". Processes
	// with the same schema in the same database share one sequence. At most 50
	// lower-case letters, digits and underscores.
	Schema string
	// Direct is a connection string that reaches the server without a pooler,
	// for when the other one leads to PgBouncer or its like. A process holds
	// one direct connection for each Follow, and one of all processes holds
	// one more. Empty means that the other string is used. If that turns out
	// to lead to a pooler, the backplane works, by polling: see the package
	// documentation.
	Direct string
	// MaxRecords is how many records are retained. Default 100,000. It bounds
	// the size of the table (with MaxRecord), and how much a starting process
	// reads.
	MaxRecords int
	// MaxAge is how long a record is retained, by the server's clock. Default
	// 1 hour, at least 1 second. Records are removed about every second, while
	// any process follows the sequence.
	MaxAge time.Duration
	// MaxRecord is the largest record, in bytes of Record.Data. Append and
	// InsertTx refuse a larger one with a hub.RecordTooLargeError. Default
	// 16 MiB, at most 64 MiB.
	MaxRecord int
	// Poll is the longest time between two looks at the outbox for records to
	// number, by the one process that does. It is half of what is added to the
	// latency of an event after a time of silence, on average; under load the
	// process looks more often. A look is one query that reads an index.
	// Default 10 ms, within 1 ms to 1 second.
	Poll time.Duration
}

const (
	// queryTimeout bounds every statement, and the time that a dead
	// connection goes unnoticed while one is running.
	queryTimeout = 5 * time.Second
	// heartbeat is how long a Follow that hears nothing waits before it asks.
	heartbeat = time.Second
	// candidacy is the time between two attempts to become the process that
	// numbers.
	candidacy = 300 * time.Millisecond
	// grace is how long the server lets that process be silent before it ends
	// its session. It polls far more often. With candidacy, it is how long a
	// machine can be gone before another process numbers.
	grace = 1500 * time.Millisecond
	// minPoll is the shortest time between two looks at the outbox. It lets
	// records gather under load.
	minPoll = time.Millisecond
	// maxPoll is the longest. It is shorter than grace.
	maxPoll = time.Second
)

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,49}$`)

func (o *Options) resolved() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Schema == "" {
		r.Schema = "crier"
	}
	if !schemaName.MatchString(r.Schema) {
		return r, fmt.Errorf("postgres: Options.Schema is %q; it must match %s", r.Schema, schemaName)
	}
	for _, v := range []struct {
		name            string
		value           *int
		fallback, limit int
	}{
		{"MaxRecords", &r.MaxRecords, 100_000, 1 << 40},
		{"MaxRecord", &r.MaxRecord, 16 << 20, 64 << 20},
	} {
		if *v.value == 0 {
			*v.value = v.fallback
		}
		if *v.value < 1 || *v.value > v.limit {
			return r, fmt.Errorf("postgres: Options.%s is %d; it must be within 1 to %d", v.name, *v.value, v.limit)
		}
	}
	for _, v := range []struct {
		name                   string
		value                  *time.Duration
		fallback, least, limit time.Duration
	}{
		{"MaxAge", &r.MaxAge, time.Hour, time.Second, math.MaxInt64},
		{"Poll", &r.Poll, 10 * time.Millisecond, minPoll, maxPoll},
	} {
		if *v.value == 0 {
			*v.value = v.fallback
		}
		if *v.value < v.least || *v.value > v.limit {
			return r, fmt.Errorf("postgres: Options.%s is %v; it must be within %v to %v", v.name, *v.value, v.least, v.limit)
		}
	}
	return r, nil
}

// A Backplane is a [hub.Backplane] over tables in a PostgreSQL database. Make
// one with [New] for each hub; all methods are safe for concurrent use. It must
// not be copied.
type Backplane struct {
	options Options
	pool    *pgxpool.Pool   // perhaps behind a pooler
	direct  *pgx.ConnConfig // not behind one, as far as it is known
	lock    int64           // the advisory lock of the process that numbers

	// epoch is the one that the last Tail returned, nil before the first.
	epoch atomic.Pointer[string]
	// appended wakes this process's numbering, if it is the one that numbers.
	appended chan struct{}

	mu      sync.Mutex
	waiting []*pending // Appends that no flush has taken
	flushes int        // running
}

var _ hub.Backplane = (*Backplane)(nil)

// New returns a backplane over the database that a connection string of pgx (a
// URL, or keywords and values) names. It returns an error if the string or the
// options are not valid. New does not connect; hub.Open does. For a server with
// standbys name all hosts, and set target_session_attrs=read-write.
//
// The backplane uses connections of its own: at most 4 in a pool, and those that
// [Options].Direct describes. An application's pool that is exhausted by
// transactions whose handlers publish would wait for itself. connect_timeout is
// 5 seconds unless the string says otherwise. pool_max_conns is respected.
//
// Close the backplane after the hub has been shut down.
func New(connString string, o *Options) (*Backplane, error) {
	r, err := o.resolved()
	if err != nil {
		return nil, err
	}
	config, err := parse(connString)
	if err != nil {
		return nil, fmt.Errorf("postgres: the connection string: %w", err)
	}
	direct := config
	if r.Direct != "" {
		if direct, err = parse(r.Direct); err != nil {
			return nil, fmt.Errorf("postgres: Options.Direct: %w", err)
		}
	}
	// Named prepared statements do not work behind most poolers.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	direct.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	b := &Backplane{options: r, direct: direct.ConnConfig.Copy(), appended: make(chan struct{}, 1)}
	h := fnv.New64a()
	fmt.Fprintf(h, "github.com/crier-go/crier/backplane/postgres %s", r.Schema)
	b.lock = int64(h.Sum64())
	if b.pool, err = pgxpool.NewWithConfig(context.Background(), config); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return b, nil
}

func parse(connString string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(connString)
	if err != nil {
		return nil, err
	}
	if set, err := pgx.ParseConfig(connString); err != nil {
		return nil, err
	} else if set.RuntimeParams["pool_max_conns"] == "" {
		config.MaxConns = 4
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "crier"
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = queryTimeout
	}
	return config, nil
}

// Close closes the connections that no running method uses, and waits for
// Appends and Tails to return. It does not end a Follow: its context does.
func (b *Backplane) Close() {
	b.pool.Close()
}

// sql returns a statement for the backplane's schema.
func (b *Backplane) sql(statement string) string {
	return inSchema(statement, b.options.Schema)
}
