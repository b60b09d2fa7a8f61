package nats

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/crier-go/crier/hub"
)

// The tests with servers are in the module natsembedded, which has one.

// disconnected returns a connection to a port on which nobody listens.
func disconnected(t *testing.T, options ...nats.Option) *nats.Conn {
	nc, err := nats.Connect("nats://127.0.0.1:1", append(ConnectOptions(), options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestNotConnected(t *testing.T) {
	b := New(disconnected(t), nil)
	cause := errors.New("the test has enough")
	ctx, cancel := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, cause)
	defer cancel()
	_, err := b.Tail(ctx)
	for name, err := range map[string]error{
		"Tail":   err,
		"Append": b.Append(ctx, hub.Record{}),
	} {
		if !errors.Is(err, hub.ErrUnavailable) || !errors.Is(err, cause) {
			t.Errorf("%s returned %v", name, err)
		}
	}
	if err := b.Follow(context.Background(), 0, nil); !errors.Is(err, hub.ErrUnavailable) {
		t.Errorf("Follow returned %v", err)
	}
}

// Without a deadline, Options.Timeout is one.
func TestTimeout(t *testing.T) {
	b := New(disconnected(t), &Options{Timeout: 50 * time.Millisecond})
	_, err := b.Tail(context.Background())
	for name, err := range map[string]error{
		"Tail":   err,
		"Append": b.Append(context.Background(), hub.Record{}),
	} {
		if !errors.Is(err, hub.ErrUnavailable) || !strings.Contains(err.Error(), "for 50ms") {
			t.Errorf("%s returned %v", name, err)
		}
	}
}

// A connection that gives up one day is refused on the first.
func TestConnectionThatGivesUp(t *testing.T) {
	for name, option := range map[string]nats.Option{
		"MaxReconnects": nats.MaxReconnects(60),
		"NoReconnect":   nats.NoReconnect(),
	} {
		b := New(disconnected(t, option), nil)
		_, err := b.Tail(t.Context())
		for method, err := range map[string]error{"Tail": err, "Append": b.Append(t.Context(), hub.Record{}), "Follow": b.Follow(t.Context(), 0, nil)} {
			if err == nil || errors.Is(err, hub.ErrUnavailable) || !strings.Contains(err.Error(), "MaxReconnects(-1)") {
				t.Errorf("with %s, %s returned %v", name, method, err)
			}
		}
	}
}

func TestNegativeOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"Replicas": {Replicas: -1}, "MaxAge": {MaxAge: -1}, "MaxRecords": {MaxRecords: -1},
		"MaxBytes": {MaxBytes: -1}, "MaxPending": {MaxPending: -1}, "Timeout": {Timeout: -1},
	} {
		func() {
			defer func() {
				if p, _ := recover().(string); !strings.Contains(p, "Options."+name) {
					t.Errorf("New with a negative %s panics with %q", name, p)
				}
			}()
			New(disconnected(t), &o)
		}()
	}
}

func TestLife(t *testing.T) {
	b := New(disconnected(t), nil)
	for life, want := range map[time.Duration]string{
		0:                       "",
		time.Nanosecond:         "1s",
		time.Second:             "1s",
		1500 * time.Millisecond: "2s",
		time.Minute:             "1m0s",
		time.Hour:               "", // MaxAge is no longer
		24 * time.Hour:          "",
	} {
		if got := b.ttl(life); got != want {
			t.Errorf("a life of %v is %q, want %q", life, got, want)
		}
	}
	b.noTTL.Store(true)
	if got := b.ttl(time.Minute); got != "" {
		t.Errorf("a stream without TTLs gets %q", got)
	}
}

// What trying again can mend, and what not.
func TestClassify(t *testing.T) {
	b := New(disconnected(t), nil)
	for _, c := range []struct {
		err    error
		passes bool
	}{
		{nats.ErrNoResponders, true},
		{nats.ErrTimeout, true},
		{jetstream.ErrAsyncPublishTimeout, true},
		{jetstream.ErrJetStreamNotEnabled, true}, // also while no server answers
		{jetstream.ErrJetStreamNotEnabledForAccount, false},
		{jetstream.ErrStreamNotFound, true},
		{&jetstream.APIError{Code: 503, ErrorCode: 10008}, true},
		{&jetstream.APIError{Code: 400, ErrorCode: codeNoPeers}, true},
		{&jetstream.APIError{Code: 409, ErrorCode: codeInProcess}, true},
		{&jetstream.APIError{Code: 500, ErrorCode: codeInvalidConfig}, false},
		{&jetstream.APIError{Code: 500, ErrorCode: codeNotClustered}, false},
		{&jetstream.APIError{Code: 400, ErrorCode: 10065}, false}, // subjects overlap
		{&StreamError{Stream: "x"}, false},
	} {
		if got := b.classify(t.Context(), "test", c.err); !errors.Is(got, c.err) || errors.Is(got, hub.ErrUnavailable) != c.passes {
			t.Errorf("%v became %v", c.err, got)
		}
	}
}
