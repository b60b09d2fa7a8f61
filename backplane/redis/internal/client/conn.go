package client

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

var errReconnect = errors.New("the connection broke")

// A Conn is a client that has one connection and never gets a second: for
// whoever has to know that a connection broke, because something may have been
// missed.
type Conn struct {
	*redis.Client

	cut  context.Context // ends with Cut
	stop context.CancelFunc

	mu  sync.Mutex
	net net.Conn
}

// NewConn returns a client that will dial as options say. Replies that take
// longer than readTimeout break the connection. Hooks of other clients do not
// apply.
func NewConn(options *redis.Options, readTimeout time.Duration) *Conn {
	c := new(Conn)
	c.cut, c.stop = context.WithCancel(context.Background())
	o := *options
	dial := o.Dialer
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c.mu.Lock()
		again := c.net != nil
		c.mu.Unlock()
		if again {
			return nil, errReconnect
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(c.cut, cancel)()
		n, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.cut.Err() != nil {
			n.Close()
			return nil, errReconnect
		}
		c.net = n
		return n, nil
	}
	o.PoolSize, o.MinIdleConns, o.PipelinePoolSize = 1, 0, -1
	o.MaxRetries, o.DialerRetries = -1, 1
	o.ReadTimeout = readTimeout
	o.ConnMaxLifetime, o.ConnMaxIdleTime = 0, -1
	// RESP2 has no pushes, on which go-redis could act (hand the connection
	// over to another server).
	o.Protocol = 2
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.ClientSideCache, o.ClientSideCacheConfig = nil, nil
	o.Limiter = nil
	c.Client = redis.NewClient(&o)
	return c
}

// Cut closes the connection under whoever uses it, or stops it from being made.
// A Conn must be closed besides.
func (c *Conn) Cut() {
	c.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.net != nil {
		c.net.Close()
	}
}

// Close closes the client and its connection.
func (c *Conn) Close() error {
	c.stop()
	return c.Client.Close()
}
