package transport

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/crier-go/crier/hub"
)

// Options are the options that all transports share. The zero value of every
// field means its default.
type Options struct {
	// Heartbeat is the longest silence of a stream: after it the client is
	// sent its position, which also shows whether the connection still works.
	// Each stream jitters it by up to a fifth downwards. Keep it below the idle
	// timeouts of proxies (nginx: 60 s, h2o: 30 s). Default 25 s.
	Heartbeat time.Duration
	// WriteTimeout is how long a write may make no progress before the stream
	// ends as slow; it may take up to a third longer to notice. On WebSocket it
	// is also how long a pong may take. Default 10 s.
	//
	// On Linux, WebSockets, lean SSE streams and, with ConnContext, other SSE
	// streams over HTTP/1.1 ask the kernel: progress is what the client's kernel
	// acknowledges. If the client's kernel answers, but has no room because the
	// client reads slowly or not at all, the write may take nine times as long.
	// Meanwhile such a client costs 16 KiB in the stream and about as much in
	// the kernel, beyond what is on its way to the client.
	WriteTimeout time.Duration
	// Retry is how long clients are asked to wait before they reconnect. The
	// clients of a hub that shuts down are asked to wait 1 to 3 times as long,
	// at random, or longer if they are many; see [ShutdownAtRate]. Those that are
	// refused for a limit on streams are asked to wait 10 to 20 times as long, and
	// those over hub.Options.OpenRate 1 to 20 times. Default 3 s.
	Retry time.Duration
	// AllowedOrigins are the origins of other sites' pages that may open
	// streams with this site's cookies, for instance "https://app.example.com".
	// Case and a default port make no difference; wildcards panic. Pages of the
	// same origin and clients that are not browsers always may. A refused
	// origin is logged, at most once a minute. Default none.
	AllowedOrigins []string
	// Recheck is how often the Authenticator is called again for an open
	// stream, with the request that opened it. If it returns ErrUnauthenticated,
	// ErrForbidden or another user, the stream ends as revoked; if it fails
	// otherwise, the stream stays open. Otherwise the stream ends when the
	// session that it returned expires, which may be later or earlier than
	// before; the rest of that session is ignored. See OpenSession for what an
	// Authenticator needs whose requests are valid only once. Default never.
	Recheck time.Duration
	// GoneStatus204 answers a request without a valid session with 204 instead
	// of 401. Both stop an EventSource; 204 does so without an error in the
	// browser's console.
	GoneStatus204 bool
	// IOUring lets one system call write to up to 64 WebSockets or lean SSE streams
	// over plain TCP (io_uring, on Linux 5.7 or later, amd64 and arm64): a tenth to a
	// quarter less CPU where many clients get the same event. It is off by default
	// because many containers and hardened kernels forbid io_uring. Where it cannot be
	// used, that is logged once, and each write is a system call.
	IOUring bool
	// Logger receives errors and warnings. Default slog.Default().
	Logger *slog.Logger
}

// WithDefaults returns a copy of o in which every zero is its default; o may
// be nil. It panics on values that cannot work, naming them.
func (o *Options) WithDefaults() *Options {
	var r Options
	if o != nil {
		r = *o
	}
	for _, d := range [...]struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"Heartbeat", &r.Heartbeat, 25 * time.Second},
		{"WriteTimeout", &r.WriteTimeout, 10 * time.Second},
		{"Retry", &r.Retry, 3 * time.Second},
		{"Recheck", &r.Recheck, 0},
	} {
		if *d.value < 0 {
			panic(fmt.Sprintf("transport: Options.%s is %v; it must be positive, or zero for the default", d.name, *d.value))
		}
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	origins := make([]string, len(r.AllowedOrigins))
	for i, origin := range r.AllowedOrigins {
		var err error
		if origins[i], err = normalizeOrigin(origin); err != nil {
			panic(fmt.Sprintf("transport: Options.AllowedOrigins has %q: %v", origin, err))
		}
	}
	r.AllowedOrigins = origins
	if r.Logger == nil {
		r.Logger = slog.Default()
	}
	return &r
}

// beat returns the time until the next heartbeat, with its jitter. A schedule adds
// up to a step.
func (o *Options) beat() time.Duration {
	return o.Heartbeat - o.beatStep() - spread(o.Heartbeat/5-o.beatStep())
}

// beatStep is the step of a schedule.
func (o *Options) beatStep() time.Duration { return max(o.Heartbeat/beatSteps, 1) }

// shortestBeat is the least that beat returns.
func (o *Options) shortestBeat() time.Duration { return o.Heartbeat * 4 / 5 }

// retryAfter returns how long a client should wait whose stream ends for a
// reason. Where many streams end together, it is random, so that their clients do
// not come back together. The clients of a hub that shuts down spread over at least
// reconnects.
func (o *Options) retryAfter(reason hub.Reason, reconnects time.Duration) time.Duration {
	switch reason {
	case hub.ReasonShutdown:
		return o.Retry + spread(max(2*o.Retry, reconnects))
	case hub.ReasonOverloaded, hub.ReasonUnavailable:
		return 10*o.Retry + spread(10*o.Retry)
	}
	return o.Retry
}

// spread returns a random duration below d, in whole milliseconds.
func spread(d time.Duration) time.Duration {
	return rand.N(max(d, time.Millisecond)).Truncate(time.Millisecond)
}
