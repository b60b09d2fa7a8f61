package nats

import (
	"fmt"
	"time"
)

// Options choose the stream and its bounds. The zero value of every field means
// its default, and nil Options mean all defaults. A negative value is a
// programming error: New panics.
type Options struct {
	// Stream is the name of the JetStream stream. All processes of an
	// application use the same, and no other application does. Default
	// "crier".
	Stream string
	// Subject is the one subject of the stream. Default Stream followed by
	// ".records".
	Subject string
	// Replicas is on how many servers the stream is kept: 1, 3 or 5. With 3,
	// an acknowledged record survives the loss of one server. Default 1 for a
	// stream that is created; one that exists stays as it is.
	Replicas int
	// MaxAge is how long the stream retains a record. A hub that starts reads
	// all that is retained. Default 1 hour, as [hub.Options].
	MaxAge time.Duration
	// MaxRecords is how many records the stream retains. Default 1,000,000.
	MaxRecords int64
	// MaxBytes is how many bytes the stream retains. Default 256 MiB.
	MaxBytes int64
	// MaxPending is how many records may be on their way to the stream
	// without an acknowledgement. An Append above that waits. Default 4,096.
	MaxPending int
	// Timeout is how long a call waits for the servers if its context does
	// not end before. Default 10 seconds: a cluster whose leader is killed
	// elects another one within 4 to 9 seconds, and Appends wait for it.
	Timeout time.Duration
}

func (o *Options) resolved() Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Stream == "" {
		r.Stream = "crier"
	}
	if r.Subject == "" {
		r.Subject = r.Stream + ".records"
	}
	set(&r.Replicas, 0, "Replicas")
	set(&r.MaxAge, time.Hour, "MaxAge")
	set(&r.MaxRecords, 1_000_000, "MaxRecords")
	set(&r.MaxBytes, 256<<20, "MaxBytes")
	set(&r.MaxPending, 4096, "MaxPending")
	set(&r.Timeout, 10*time.Second, "Timeout")
	return r
}

// set replaces zero by the default.
func set[T int | int64 | time.Duration](field *T, def T, name string) {
	if *field < 0 {
		panic(fmt.Sprintf("nats: Options.%s is %v; it must be positive, or zero for the default", name, *field))
	}
	if *field == 0 {
		*field = def
	}
}
