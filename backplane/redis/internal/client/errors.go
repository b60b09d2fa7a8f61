// Package client has what go-redis lacks: a client that never reconnects, calls
// that end with their contexts, and errors that say whether they may pass.
package client

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/hub"
)

// Unavailable wraps err, which happened while we tried what, as one that may
// pass.
func Unavailable(what string, err error) error {
	if errors.Is(err, hub.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("redis: %s: %w: %w", what, hub.ErrUnavailable, err)
}

// lasting are the beginnings of Redis's error replies that trying again cannot
// mend. All others may pass: LOADING, READONLY and MASTERDOWN during a failover,
// CLUSTERDOWN, MOVED and TRYAGAIN while a cluster changes, OOM, MISCONF and
// NOREPLICAS until an operator acts, and those that we do not know.
var lasting = []string{
	"WRONGTYPE",
	"NOPERM",
	"NOAUTH",
	"WRONGPASS",
	"NOSCRIPT", // go-redis answers it with EVAL, so it must not reach us
	"ERR unknown command",
	"ERR unknown subcommand",
	"ERR syntax error",
	"ERR Invalid stream ID", // 0-* before Redis 7
	"ERR The ID specified in XADD is equal or smaller",  // ids that are not ours
	"ERR The stream has exhausted the last possible ID", // the same
	"ERR DB index is out of range",
	"ERR Client sent AUTH",
	"ERR AUTH",
}

// Classify returns err with a word on what failed, wrapping hub.ErrUnavailable
// unless trying again cannot mend it.
func Classify(what string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[redis.Error](err); ok {
		for _, prefix := range lasting {
			if strings.HasPrefix(err.Error(), prefix) {
				return fmt.Errorf("redis: %s: %w", what, err)
			}
		}
	}
	return Unavailable(what, err)
}

// wrongNode reports whether err is a cluster node's answer that the stream is
// elsewhere.
func wrongNode(err error) bool {
	if err == nil {
		return false
	}
	r, ok := errors.AsType[redis.Error](err)
	return ok && (strings.HasPrefix(r.Error(), "MOVED ") || strings.HasPrefix(r.Error(), "ASK "))
}
