package client

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Node returns the client of the server that holds key. Of c, which is neither a
// *redis.Client nor a *redis.ClusterClient, it is an error that lasts.
func Node(ctx context.Context, c redis.UniversalClient, key string) (*redis.Client, error) {
	switch c := c.(type) {
	case *redis.Client:
		return c, nil
	case *redis.ClusterClient:
		n, err := c.MasterForKey(ctx, key)
		if err != nil {
			return nil, Unavailable("find the node in the cluster", err)
		}
		return n, nil
	default:
		return nil, fmt.Errorf("redis: a %T cannot be used here; use a *redis.Client or a *redis.ClusterClient", c)
	}
}

// Failed classifies err, and has a cluster client look up its nodes again if err
// says that it asked the wrong one.
func Failed(c redis.UniversalClient, what string, err error) error {
	if c, ok := c.(*redis.ClusterClient); ok && wrongNode(err) {
		c.ReloadState(context.Background())
	}
	return Classify(what, err)
}

// Bounded calls f and returns its results, or the cause of ctx once ctx ends.
// (go-redis looks at a context only between attempts.) f may go on until the
// client's own timeouts are over.
func Bounded[T any](ctx context.Context, what string, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if ctx.Err() != nil {
		return none, Unavailable(what, context.Cause(ctx))
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, Unavailable(what, context.Cause(ctx))
	}
}
