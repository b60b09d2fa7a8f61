package peers

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/bench/load/internal/peer"
)

// centrifugeDefault is github.com/centrifugal/centrifuge with the configuration of its tutorial: one channel, a
// server-side subscription for each client, node.Publish, its SSE and WebSocket handlers, JSON. Its application-level
// pings stay on, but it does not expect pongs, because the clients here do not send them.
var centrifugeDefault = peer.Peer{
	Name: "centrifuge", Title: "centrifuge", Module: "github.com/centrifugal/centrifuge",
	SSE: centrifugeServer(peer.SSE, plainCentrifuge), WS: centrifugeServer(peer.WS, plainCentrifuge),
	Fanout: centrifugeReaders(false), Route: centrifugeReaders(true),
}

// centrifugeTuned is the same with the options that it has for high rates and many connections:
//
//   - a client's queue may hold 64 MB, not 1, before the client is disconnected as slow;
//   - batching: messages are collected for 5 ms before each write, by a timer in place of a goroutine, and a write
//     takes all of them, not at most 16. Of 1, 5, 10 and 20 ms this was best over all scenarios. It costs up to 5 ms
//     of latency, which the measurements do not show;
//   - write buffers come from a pool, read buffers are small, and commands are processed off the read loop, which
//     keeps its stack small.
var centrifugeTuned = peer.Peer{
	Name: "centrifuge-tuned", Title: "centrifuge, tuned", Module: "github.com/centrifugal/centrifuge",
	SSE: centrifugeServer(peer.SSE, tunedCentrifuge), WS: centrifugeServer(peer.WS, tunedCentrifuge),
}

const (
	centrifugeChannel = "events"
	centrifugeConnect = `{"id":1,"connect":{}}`
)

type centrifugeConfig struct {
	node  centrifuge.Config
	ws    centrifuge.WebsocketConfig
	reply centrifuge.ConnectReply
}

var withoutPongs = centrifuge.PingPongConfig{PongTimeout: -1}

var plainCentrifuge = centrifugeConfig{
	ws: centrifuge.WebsocketConfig{CheckOrigin: anyOrigin, PingPongConfig: withoutPongs},
}

var tunedCentrifuge = centrifugeConfig{
	node: centrifuge.Config{ClientQueueMaxSize: 64 << 20},
	ws: centrifuge.WebsocketConfig{
		CheckOrigin: anyOrigin, PingPongConfig: withoutPongs,
		ReadBufferSize: 512, UseWriteBufferPool: true, ProcessCommandsOffReadLoop: true,
	},
	reply: centrifuge.ConnectReply{MaxMessagesInFrame: -1, WriteDelay: 5 * time.Millisecond, WriteWithTimer: true},
}

// newCentrifuge returns a running node. It subscribes each client to the channel that the client's connect command names
// as its token, or to the common one.
func newCentrifuge(c centrifugeConfig) (*centrifuge.Node, error) {
	node, err := centrifuge.New(c.node)
	if err != nil {
		return nil, fmt.Errorf("creating a node: %w", err)
	}
	node.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		r := c.reply
		r.Credentials = &centrifuge.Credentials{UserID: e.Token}
		r.Subscriptions = map[string]centrifuge.SubscribeOptions{cmp.Or(e.Token, centrifugeChannel): {}}
		return r, nil
	})
	if err := node.Run(); err != nil {
		return nil, fmt.Errorf("running a node: %w", err)
	}
	return node, nil
}

// publishCentrifuge ignores errors, because the clients count what arrives.
func publishCentrifuge(node *centrifuge.Node) func(peer.Item, int) {
	return func(it peer.Item, _ int) { _, _ = node.Publish(centrifugeChannel, it.Data) }
}

func centrifugeServer(t peer.Transport, c centrifugeConfig) func() (*peer.Target, error) {
	return func() (*peer.Target, error) {
		node, err := newCentrifuge(c)
		if err != nil {
			return nil, err
		}
		target := &peer.Target{Publish: publishCentrifuge(node)}
		if t == peer.WS {
			target.Handler, target.Hello = centrifuge.NewWebsocketHandler(node, c.ws), []byte(centrifugeConnect)
		} else {
			target.Handler = centrifuge.NewSSEHandler(node, centrifuge.SSEConfig{PingPongConfig: withoutPongs})
			target.Path = "/?cf_connect=" + url.QueryEscape(centrifugeConnect)
		}
		return target, nil
	}
}

// centrifugeReaders connects clients whose transport counts in place of writing to a socket.
func centrifugeReaders(routed bool) func(int, *reader.Tally) (*peer.Target, error) {
	return func(readers int, t *reader.Tally) (*peer.Target, error) {
		node, err := newCentrifuge(plainCentrifuge)
		if err != nil {
			return nil, err
		}
		channels := make([]string, readers) // empty for the common one
		for i := range channels {
			if routed {
				channels[i] = userID(i)
			}
			c, _, err := centrifuge.NewClient(context.Background(), node, tallyTransport{t})
			if err != nil {
				return nil, fmt.Errorf("creating a client: %w", err)
			}
			if err := c.ConnectNoErrorToDisconnect(centrifuge.ConnectRequest{Token: channels[i]}); err != nil {
				return nil, err
			}
		}
		if !routed {
			return &peer.Target{Publish: publishCentrifuge(node)}, nil
		}
		return &peer.Target{Publish: func(it peer.Item, user int) { _, _ = node.Publish(channels[user], it.Data) }}, nil
	}
}

// A tallyTransport is a transport of centrifuge that counts messages and discards them.
type tallyTransport struct{ t *reader.Tally }

func (tallyTransport) Name() string                      { return "tally" }
func (tallyTransport) AcceptProtocol() string            { return "" }
func (tallyTransport) Protocol() centrifuge.ProtocolType { return centrifuge.ProtocolTypeJSON }
func (tallyTransport) ProtocolVersion() centrifuge.ProtocolVersion {
	return centrifuge.ProtocolVersion2
}
func (tallyTransport) Unidirectional() bool      { return true }
func (tallyTransport) Emulation() bool           { return false }
func (tallyTransport) DisabledPushFlags() uint64 { return centrifuge.PushFlagConnect }
func (tallyTransport) PingPongConfig() centrifuge.PingPongConfig {
	return centrifuge.PingPongConfig{PingInterval: -1, PongTimeout: -1} // only events are to be counted
}
func (x tallyTransport) Write([]byte) error              { x.t.Got(1); return nil }
func (x tallyTransport) WriteMany(m ...[]byte) error     { x.t.Got(len(m)); return nil }
func (tallyTransport) Close(centrifuge.Disconnect) error { return nil }
