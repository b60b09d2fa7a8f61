package proof

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// holdConnections is set in the process that holds half-open connections.
const holdConnections = "CRIER_PROOF_HOLD"

func TestMain(m *testing.M) {
	if spec := os.Getenv(holdConnections); spec != "" {
		hold(spec)
		return
	}
	os.Exit(m.Run())
}

// hold opens connections that begin a request and never finish it, by turns in
// the request line, in the headers, before the end of a handshake, and as a
// stream that is never read, until its standard input is closed.
func hold(spec string) {
	var address string
	var n int
	if _, err := fmt.Sscanf(spec, "%s %d", &address, &n); err != nil {
		panic(err)
	}
	halves := []string{
		"GET /eve",
		"GET /events?user=x HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
		"GET /lean?user=" + uuid.NewString() + " HTTP/1.1\r\nHost: x\r\n\r\n",
	}
	conns := make([]net.Conn, 0, n)
	for i := range n {
		c, err := net.Dial("tcp", address)
		if err != nil {
			fmt.Println("dial:", err)
			return
		}
		c.Write([]byte(halves[i%len(halves)]))
		conns = append(conns, c)
	}
	fmt.Println("held")
	bufio.NewReader(os.Stdin).ReadString('\n')
	runtime.KeepAlive(conns)
}

// Thousands of connections that never finish what they begin cost their
// sockets, and nobody else anything: the server cuts the requests after its
// ReadHeaderTimeout, and those who are served are served.
func TestHalfOpenConnections(t *testing.T) {
	n := 800
	if *soak {
		n = 10_000
	}
	h := hub.New(&kinds, &hub.Options{StreamsPerUser: n})
	srv := serve(t, h, transport.Options{})

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", holdConnections, srv.Listener.Addr(), n))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stdin.Close()
		cmd.Wait()
	}()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || strings.TrimSpace(line) != "held" {
		t.Fatalf("the other process: %q, %v", line, err)
	}

	// Somebody who behaves is served meanwhile, on every transport.
	for _, path := range []string{"/events", "/lean", "/ws"} {
		r := &reader{t: t, base: srv.URL, path: path, user: uuid.New()}
		r.connect()
		for i := range 20 {
			publishTo(t, h, r.user, payload{N: i})
			r.expect(i)
		}
		r.conn.Close()
	}
	// And of those who began a request, none is left but the streams.
	deadline := time.Now().Add(30 * time.Second)
	for goroutines := runtime.NumGoroutine(); goroutines > n/4+50; goroutines = runtime.NumGoroutine() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are left for %d streams", goroutines, n/4)
		}
		<-time.After(50 * time.Millisecond) // the server's clock, not ours
	}
	if st := h.Stats(); st.Streams["sse"] != n/4 {
		t.Errorf("%d streams are open, not %d", st.Streams["sse"], n/4)
	}
}
