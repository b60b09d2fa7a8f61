package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

// BenchmarkCompress broadcasts events of 2 KB of JSON to 1,000 clients in another
// process, with and without compression. The clients read and do not decompress:
// that costs each of them the same, on a processor of its own.
func BenchmarkCompress(b *testing.B) {
	for _, transport := range transports {
		for _, compress := range []bool{false, true} {
			b.Run(fmt.Sprintf("transport=%s/compress=%t", transport, compress), func(b *testing.B) {
				compressed(b, transport, compress)
			})
		}
	}
}

// A holding is one line of a portfolio; 20 of them are the event.
type holding struct {
	Account  string  `json:"account_id"`
	Symbol   string  `json:"symbol"`
	Quantity float64 `json:"quantity"`
	Price    float64 `json:"price"`
	Currency string  `json:"currency"`
}

var holdingsKind = event.Define[[]holding](&registry, "portfolio", "portfolio.holdings", "All that a user holds.")

func holdings(n int) (all []holding) {
	for i := range 20 {
		all = append(all, holding{fmt.Sprintf("acc-%04d", i%3), fmt.Sprintf("SYM%02d", i), float64(i * n % 997), float64(n*31%9973) / 100, "USD"})
	}
	return all
}

func compressed(b *testing.B, transport string, compress bool) {
	const clients = 1000
	files(b, clients)
	h := hub.New(&registry, &hub.Options{OpenRate: -1, Logger: slog.New(slog.DiscardHandler)})
	mux := http.NewServeMux()
	mux.Handle("/sse", sse.NewHandler(h, authenticate, &sse.Options{Compress: compress}))
	mux.Handle("/lean", sse.NewHandler(h, authenticate, &sse.Options{Lean: true, Compress: compress}))
	mux.Handle("/ws", ws.NewHandler(h, authenticate, &ws.Options{Compress: compress}))
	srv := httptest.NewUnstartedServer(mux)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	defer srv.Close()
	defer h.Shutdown(context.Background())

	ask := strings.Replace(request(transport, "{user}"), "\r\n\r\n",
		"\r\nAccept-Encoding: gzip\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1)
	child := startChild(b, drainRole)
	call := func(method string, args, reply any) {
		b.Helper()
		if err := child.Call(patience+5*time.Second, method, args, reply); err != nil {
			b.Fatal(err)
		}
	}
	call("Connect", DrainTarget{srv.Listener.Addr().String(), ask, clients}, nil)

	events := 0
	once := func() {
		events++
		e, err := holdingsKind.New(userID(0), holdings(events))
		if err == nil {
			err = h.Broadcast(context.Background(), e)
		}
		if err != nil {
			b.Fatal(err)
		}
		call("Await", int64(0), nil)
	}
	once()
	var before, after int64
	call("Bytes", struct{}{}, &before)
	warm := events
	m, cpu := startMeter(b), machine.CPU()
	for b.Loop() {
		once()
	}
	cpu = machine.CPU() - cpu
	n := (events - warm) * clients
	m.report(n)
	call("Bytes", struct{}{}, &after)
	b.ReportMetric(float64(cpu)/float64(n), "cpu-ns/delivery")
	b.ReportMetric(float64(after-before)/float64(n), "bytes/delivery")
	if got := h.Stats().Delivered; got != uint64(events*clients) {
		b.Fatalf("%d deliveries, want %d", got, events*clients)
	}
}

// A drainProcess holds clients that read what comes and only count its bytes.
type drainProcess struct {
	each []*atomic.Int64
	last int64 // what each had at the last Await
}

// A DrainTarget says where and how clients connect. (net/rpc needs an exported name.)
type DrainTarget struct {
	Addr, Request string
	Clients       int
}

// Connect returns once every client has had its opening.
func (d *drainProcess) Connect(t DrainTarget, _ *struct{}) error {
	for i := range t.Clients {
		c, err := net.Dial("tcp", t.Addr)
		if err == nil {
			_, err = io.WriteString(c, strings.ReplaceAll(t.Request, "{user}", strconv.Itoa(i)))
		}
		if err != nil {
			return err
		}
		n := &atomic.Int64{}
		d.each = append(d.each, n)
		go func() {
			r := bufio.NewReaderSize(c, 16<<10)
			for {
				if _, err := r.Peek(1); err != nil {
					return
				}
				had, _ := r.Discard(r.Buffered())
				n.Add(int64(had))
			}
		}()
	}
	return d.settle()
}

// Await returns once another event has come to every client.
func (d *drainProcess) Await(int64, *struct{}) error { return d.settle() }

// Bytes returns how much has come to all clients.
func (d *drainProcess) Bytes(_ struct{}, sum *int64) error {
	*sum = 0
	for _, n := range d.each {
		*sum += n.Load()
	}
	return nil
}

// settle waits until all clients have had the same, and more than before: what they
// are sent has the same length.
func (d *drainProcess) settle() error {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(100 * time.Microsecond) {
		first := d.each[0].Load()
		same := first > d.last
		for _, n := range d.each {
			same = same && n.Load() == first
		}
		if same {
			d.last = first
			return nil
		}
	}
	return errors.New("not every client has had the same")
}
