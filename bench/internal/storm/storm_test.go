package storm

import (
	"net"
	"strings"
	"testing"
	"time"
)

// serve answers every connection with the same pieces.
func serve(t *testing.T, pieces ...string) (addr string) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Read(make([]byte, 100))
			for _, piece := range pieces {
				conn.Write([]byte(piece))
				time.Sleep(time.Millisecond)
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return l.Addr().String()
}

func TestRun(t *testing.T) {
	plan := Plan{Request: "user {user}", Clients: 20, AtOnce: 4, Missed: 2, Timeout: 200 * time.Millisecond}
	for _, test := range []struct {
		name   string
		pieces []string
		err    string // empty if the clients have what they missed
	}{
		{"whole", []string{"~#1\n~#2\n"}, ""},
		{"in pieces", []string{"HTTP\r\n\r\n~", "#1", "\n~#2", "\n"}, ""},
		{"lost", []string{"~#1\n"}, "timeout"},
		{"doubled", []string{"~#1\n~#1\n~#2\n"}, "event 1 came where event 2 was due"},
		{"out of order", []string{"~#2\n~#1\n"}, "event 2 came where event 1 was due"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan.Addr = serve(t, test.pieces...)
			var c Clients
			defer c.Close()
			r, err := c.Run(plan)
			switch {
			case test.err != "":
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v; want an error with %q", err, test.err)
				}
			case err != nil:
				t.Error(err)
			case len(c.conns) != plan.Clients || r.P50 == 0 || r.P99 < r.P50 || r.Elapsed < r.P99:
				t.Errorf("got %+v", r)
			}
		})
	}
}
