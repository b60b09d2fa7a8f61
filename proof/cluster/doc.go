// Package cluster holds the test of several processes on one engine: real
// processes that are killed, real engines that are restarted, connections that
// break, fall silent or are slow, and clients that move between the processes
// over SSE and WebSocket. Its module is nested because it needs the engines'
// clients.
//
// `make cluster-test` runs the bounded form, which takes about half a minute for
// each engine; `make cluster-soak` the long one, with at least a million
// deliveries for each.
package cluster
