package main

import (
	"fmt"
	"net/url"

	natsclient "github.com/nats-io/nats.go"
	redisclient "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/nats"
	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/backplane/redis"
	"github.com/crier-go/crier/examples/chat/chat"
	"github.com/crier-go/crier/hub"
)

// connect returns the backplane that a URL names, and what releases it after the
// hub has been shut down. No URL is no backplane. The engine need not be there
// yet.
func connect(engine string) (b hub.Backplane, release func(), err error) {
	if engine == "" {
		return nil, func() {}, nil
	}
	u, err := url.Parse(engine)
	if err != nil {
		return nil, nil, err
	}
	switch u.Scheme {
	case "nats", "tls":
		nc, err := natsclient.Connect(engine, nats.ConnectOptions()...)
		if err != nil {
			return nil, nil, err
		}
		return nats.New(nc, &nats.Options{MaxAge: chat.Retention}), nc.Close, nil
	case "redis", "rediss":
		o, err := redisclient.ParseURL(engine)
		if err != nil {
			return nil, nil, err
		}
		client := redisclient.NewClient(o)
		return redis.New(client, &redis.Options{MaxAge: chat.Retention}), func() { client.Close() }, nil
	case "postgres", "postgresql":
		b, err := postgres.New(engine, &postgres.Options{MaxAge: chat.Retention})
		if err != nil {
			return nil, nil, err
		}
		return b, b.Close, nil
	}
	return nil, nil, fmt.Errorf("%q is none of nats, redis, rediss and postgres", u.Scheme)
}
