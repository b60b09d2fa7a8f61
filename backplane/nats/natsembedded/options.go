package natsembedded

import (
	"fmt"
	"log/slog"
	"time"
)

// Options are those of a [Server]. The zero value of every field means its
// default, and nil Options mean all defaults.
type Options struct {
	// SyncAlways calls fsync before each acknowledgement: a power failure loses
	// nothing then. Publishing is slower by the time of an fsync, and
	// concurrent publishes do not share one.
	SyncAlways bool
	// SyncInterval is the time between two fsyncs: what a power failure can
	// lose at most. Default 1 second. (The server's own default is 2 minutes.)
	SyncInterval time.Duration
	// MaxPayload is the largest record in bytes, with about a hundred bytes of
	// headers. Default 2 MiB, so that the largest event of a hub with default
	// options fits.
	MaxPayload int
	// Listen is the TCP address, host:port, on which the server serves other
	// processes. It asks for no password, so it has to be one that nobody else
	// can reach, such as 127.0.0.1:4222. Port 0 takes any that is free.
	// Default: none.
	Listen string
	// Logger receives what the server logs. Default: its errors and warnings,
	// to slog.Default().
	Logger *slog.Logger
}

func (o *Options) resolved() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	if r.SyncInterval < 0 || r.MaxPayload < 0 {
		return r, fmt.Errorf("natsembedded: SyncInterval is %v and MaxPayload %d; neither may be negative", r.SyncInterval, r.MaxPayload)
	}
	if r.SyncInterval == 0 {
		r.SyncInterval = time.Second
	}
	if r.MaxPayload == 0 {
		r.MaxPayload = 2 << 20
	}
	if r.Logger == nil {
		r.Logger = slog.New(warnings{slog.Default().Handler()})
	}
	return r, nil
}
