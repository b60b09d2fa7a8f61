// Package swarm is the client side of a measurement: thousands of connections in one process, as cheap as possible,
// because on a small machine the clients take processor time from the server. They read event streams and WebSockets,
// and count the numbered marks in them. One thread serves all connections through epoll, so a Swarm needs Linux.
package swarm

import "sync/atomic"

// A Target says where and how clients connect.
type Target struct {
	Addrs   []string // of the server, on loopback, used in turn: one port has room for about 28,000 connections
	Request string   // what a client sends first; "{user}" in it stands for the user's number
	Hello   []byte   // a WebSocket message that a client sends once it is connected; nil for none
	Tabs    int      // connections of each user; 0 means 1
	Slowest bool     // keep Board.Slowest up to date
}

// Request returns an HTTP request for a stream.
func Request(path string, webSocket bool) string {
	head := "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
	if webSocket {
		return head + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	}
	return head + "Accept: text/event-stream\r\n\r\n"
}

// A Board has a swarm's counts. It can be in memory that two processes share.
type Board struct {
	Connected atomic.Int64 // connections whose response's head has arrived
	Ready     atomic.Int64 // connections that have received an event or a probe
	Closed    atomic.Int64 // connections that have ended
	Delivered atomic.Int64 // events on all connections, without probes
	Disorder  atomic.Int64 // of these, doubled or out of order
	Slowest   atomic.Int64 // the lowest number that an open connection is at; up to a millisecond old
	Last      atomic.Int64 // when the last bytes arrived, in nanoseconds of Unix time
}
