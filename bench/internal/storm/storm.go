// Package storm makes many clients reconnect at once and checks that each receives what it missed.
//
// Its clients are goroutines with a net.Conn each. They parse no more of a response than the numbered marks of package
// swarm, so they serve for every transport whose frames carry events as plain text.
package storm

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crier-go/crier/bench/internal/swarm"
)

// A Plan says who reconnects and what each client has missed.
type Plan struct {
	Addr    string
	Request string        // sent by each client; "{user}" stands for its number
	Hello   string        // sent in a WebSocket frame after the response's head, with "{user}" as above; empty for nothing
	Clients int           // users 0 to Clients-1, with one connection each
	AtOnce  int           // clients that are connecting or catching up at a time
	Missed  int           // events that each client must receive: numbers 1 to Missed, in order
	Timeout time.Duration // for each client
}

// A Result says how long clients took from dialing to the last event that they had missed.
type Result struct {
	Elapsed  time.Duration // of the whole storm
	P50, P99 time.Duration
}

// A Total sums up several storms of as many clients.
type Total struct {
	Storms   int
	CPU      time.Duration // of the server
	elapsed  time.Duration
	p50, p99 time.Duration // of the worst
}

// Add adds a storm and the processor time that it has cost the server.
func (t *Total) Add(r Result, cpu time.Duration) {
	t.Storms++
	t.CPU += cpu
	t.elapsed += r.Elapsed
	t.p50, t.p99 = max(t.p50, r.P50), max(t.p99, r.P99)
}

// Report reports the total by a benchmark's ReportMetric.
func (t *Total) Report(clients int, metric func(n float64, unit string)) {
	n := float64(t.Storms * clients)
	metric(float64(t.CPU.Microseconds())/n, "cpu-us/reconnect")
	metric(n/t.elapsed.Seconds(), "reconnects/s")
	metric(float64(t.p50.Microseconds())/1e3, "p50-ms")
	metric(float64(t.p99.Microseconds())/1e3, "p99-ms")
	metric(0, "ns/op")
}

// Clients are connected clients. The zero value has none.
type Clients struct{ conns []net.Conn }

// Run connects all clients of a plan. It fails if a client does not receive exactly what it missed. The connections stay
// open until Close.
func (c *Clients) Run(p Plan) (Result, error) {
	c.conns = make([]net.Conn, p.Clients)
	took := make([]time.Duration, p.Clients)
	next := make(chan int)
	failed := make(chan error, p.AtOnce)
	var workers sync.WaitGroup
	began := time.Now()
	for range p.AtOnce {
		workers.Go(func() {
			buf := make([]byte, 16<<10)
			for i := range next {
				dialed := time.Now()
				conn, err := p.dial(i, buf)
				if err != nil {
					failed <- fmt.Errorf("client %d: %w", i, err)
					return
				}
				c.conns[i], took[i] = conn, time.Since(dialed)
			}
		})
	}
	var err error
	for i := 0; i < p.Clients && err == nil; i++ {
		select {
		case next <- i:
		case err = <-failed:
		}
	}
	close(next)
	workers.Wait()
	close(failed)
	for e := range failed {
		err = e
	}
	if err != nil {
		c.Close()
		return Result{}, err
	}
	r := Result{Elapsed: time.Since(began)}
	slices.Sort(took)
	r.P50, r.P99 = took[len(took)/2], took[len(took)*99/100]
	return r, nil
}

// Close resets all connections, so that no port stays in TIME_WAIT.
func (c *Clients) Close() {
	for _, conn := range c.conns {
		if conn != nil {
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}
	c.conns = nil
}

// dial connects client i, and returns its connection once the client has received what it missed.
func (p *Plan) dial(i int, buf []byte) (net.Conn, error) {
	conn, err := net.Dial("tcp", p.Addr)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(p.Timeout))
	if err := p.catchUp(i, conn, buf); err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return conn, nil
}

// catchUp sends client i's request and reads until it has received what it missed.
func (p *Plan) catchUp(i int, conn net.Conn, buf []byte) error {
	if _, err := conn.Write([]byte(strings.ReplaceAll(p.Request, "{user}", strconv.Itoa(i)))); err != nil {
		return err
	}
	greeted := p.Hello == ""
	for n := 0; ; {
		if n == len(buf) {
			return fmt.Errorf("the answer has more than %d bytes: %q", n, buf[:200])
		}
		k, err := conn.Read(buf[n:])
		if n += k; err != nil {
			return fmt.Errorf("after %q: %w", buf[:n], err)
		}
		if !greeted && bytes.Contains(buf[:n], []byte("\r\n\r\n")) {
			greeted = true
			if _, err := conn.Write(textFrame(strings.ReplaceAll(p.Hello, "{user}", strconv.Itoa(i)))); err != nil {
				return err
			}
		}
		all, err := p.check(buf[:n])
		if err != nil {
			return fmt.Errorf("%w in %q", err, buf[:n])
		}
		if all {
			return nil
		}
	}
}

// check reports whether an answer has everything that was missed. It fails if something came doubled or out of order.
func (p *Plan) check(b []byte) (all bool, err error) {
	got := 0
	for {
		i := bytes.Index(b, []byte(swarm.Mark))
		if i < 0 {
			return got == p.Missed, nil
		}
		b = b[i+len(swarm.Mark):]
		digits := 0
		for digits < len(b) && '0' <= b[digits] && b[digits] <= '9' {
			digits++
		}
		if digits == len(b) { // the rest of the number has not arrived
			return false, nil
		}
		number, err := strconv.Atoi(string(b[:digits]))
		if err != nil {
			return false, err
		}
		if got++; number != got {
			return false, fmt.Errorf("event %d came where event %d was due", number, got)
		}
	}
}

// textFrame returns a client's WebSocket frame (RFC 6455, section 5.2), masked with zeros, of less than 64 KiB.
func textFrame(text string) []byte {
	frame := []byte{0x81}
	if n := len(text); n < 126 {
		frame = append(frame, 0x80|byte(n))
	} else {
		frame = append(frame, 0x80|126, byte(n>>8), byte(n))
	}
	return append(append(frame, 0, 0, 0, 0), text...)
}
