package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/crier-go/crier/bench/internal/reader"
)

// centrifugeDefault is github.com/centrifugal/centrifuge with the configuration of its tutorial: one channel with a
// server-side subscription for each client, node.Publish, its SSE and WebSocket handlers, JSON.
//
// Its application-level pings stay on, but it is not told to expect pongs, which the client here does not send.
var centrifugeDefault = peer{
	name: "centrifuge", title: "centrifuge", module: centrifugeModule,
	sse:    func() (*target, error) { return centrifugeSSE(plainCentrifuge) },
	ws:     func() (*target, error) { return centrifugeWS(plainCentrifuge) },
	fanout: centrifugeFanout,
	route:  centrifugeRoute,
}

// centrifugeTuned is the same with what its options offer for high rates and many connections:
//
//   - a client's queue may hold 64 MB, not 1, before the client is disconnected as slow;
//   - batching: messages are collected for 5 ms before each write, by a timer in place of a goroutine, and a write
//     takes all of them, not at most 16. Of 1, 5, 10 and 20 ms this came out best over all scenarios. It is paid for
//     with up to 5 ms of latency, which the measurements do not show;
//   - write buffers come from a pool, read buffers are small, and commands are processed off the read loop, which
//     keeps its stack small.
var centrifugeTuned = peer{
	name: "centrifuge-tuned", title: "centrifuge, tuned", module: centrifugeModule,
	sse: func() (*target, error) { return centrifugeSSE(tunedCentrifuge) },
	ws:  func() (*target, error) { return centrifugeWS(tunedCentrifuge) },
}

const (
	centrifugeModule  = "github.com/centrifugal/centrifuge"
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
		CheckOrigin:                anyOrigin,
		PingPongConfig:             withoutPongs,
		ReadBufferSize:             512,
		UseWriteBufferPool:         true,
		ProcessCommandsOffReadLoop: true,
	},
	reply: centrifuge.ConnectReply{MaxMessagesInFrame: -1, WriteDelay: 5 * time.Millisecond, WriteWithTimer: true},
}

// newCentrifuge returns a running node that subscribes each client to the channel of the user whom its connect
// command names as its token, or to the common one.
func newCentrifuge(c centrifugeConfig) (*centrifuge.Node, error) {
	node, err := centrifuge.New(c.node)
	if err != nil {
		return nil, fmt.Errorf("creating a node: %w", err)
	}
	node.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		r := c.reply
		r.Credentials = &centrifuge.Credentials{UserID: e.Token}
		channel := e.Token
		if channel == "" {
			channel = centrifugeChannel
		}
		r.Subscriptions = map[string]centrifuge.SubscribeOptions{channel: {}}
		return r, nil
	})
	if err := node.Run(); err != nil {
		return nil, fmt.Errorf("running a node: %w", err)
	}
	return node, nil
}

func publishCentrifuge(node *centrifuge.Node) func(item) {
	return func(it item) {
		_, _ = node.Publish(centrifugeChannel, it.data) // what is not delivered is counted by the client
	}
}

func centrifugeSSE(c centrifugeConfig) (*target, error) {
	node, err := newCentrifuge(c)
	if err != nil {
		return nil, err
	}
	return &target{
		handler: centrifuge.NewSSEHandler(node, centrifuge.SSEConfig{PingPongConfig: withoutPongs}),
		path:    "/?cf_connect=" + url.QueryEscape(centrifugeConnect),
		publish: publishCentrifuge(node),
	}, nil
}

func centrifugeWS(c centrifugeConfig) (*target, error) {
	node, err := newCentrifuge(c)
	if err != nil {
		return nil, err
	}
	return &target{
		handler: http.Handler(centrifuge.NewWebsocketHandler(node, c.ws)),
		hello:   []byte(centrifugeConnect),
		publish: publishCentrifuge(node),
	}, nil
}

func centrifugeFanout(readers int, t *reader.Tally) (*inMemory, error) {
	node, err := newCentrifuge(plainCentrifuge)
	if err != nil {
		return nil, err
	}
	for range readers {
		if err := connectCentrifuge(node, "", t); err != nil {
			return nil, err
		}
	}
	publish := publishCentrifuge(node)
	return &inMemory{publish: func(it item, _ int) { publish(it) }}, nil
}

func centrifugeRoute(users int, t *reader.Tally) (*inMemory, error) {
	node, err := newCentrifuge(plainCentrifuge)
	if err != nil {
		return nil, err
	}
	ids := make([]string, users)
	for i := range users {
		ids[i] = userID(i)
		if err := connectCentrifuge(node, ids[i], t); err != nil {
			return nil, err
		}
	}
	return &inMemory{publish: func(it item, user int) { _, _ = node.Publish(ids[user], it.data) }}, nil
}

// connectCentrifuge connects a client whose transport counts, in place of a socket.
func connectCentrifuge(node *centrifuge.Node, channel string, t *reader.Tally) error {
	c, _, err := centrifuge.NewClient(context.Background(), node, tallyTransport{t})
	if err != nil {
		return fmt.Errorf("creating a client: %w", err)
	}
	return c.ConnectNoErrorToDisconnect(centrifuge.ConnectRequest{Token: channel})
}

// A tallyTransport is a transport of centrifuge that counts what is written and writes it nowhere.
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
	return centrifuge.PingPongConfig{PingInterval: -1, PongTimeout: -1} // nothing but events is to be counted
}
func (x tallyTransport) Write([]byte) error              { x.t.Got(1); return nil }
func (x tallyTransport) WriteMany(m ...[]byte) error     { x.t.Got(len(m)); return nil }
func (tallyTransport) Close(centrifuge.Disconnect) error { return nil }
