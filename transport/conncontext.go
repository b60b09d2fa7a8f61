package transport

import (
	"context"
	"net"

	"github.com/crier-go/crier/transport/internal/tcp"
)

// ConnContext is for [http.Server].ConnContext. With it, streams that are served
// through net/http know the connection that they are written to:
//
//	srv := &http.Server{Handler: mux, ConnContext: transport.ConnContext}
//
// On Linux the kernel then holds back at most 16 KiB for a connection, beyond
// what is on its way to the client; a client that vanished is noticed within two
// heartbeats; and over HTTP/1.1 a client that reads slowly is not cut, see
// Options.WriteTimeout. Without it, the kernel may hold 4 MB, and a client that
// vanished stays for as long as the kernel retransmits, a quarter of an hour.
// (WebSockets and lean SSE streams do not need it.)
//
// Elsewhere, and behind a proxy, which answers in the client's place, it does
// nothing.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	tcp.Limit(c)
	return tcp.NewContext(ctx, c)
}
