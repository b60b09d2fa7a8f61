package e2e

import (
	"bufio"
	_ "embed"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

//go:embed compress.html
var compressPage []byte

var longNote = event.Define[string](&registry, "test", "test.page", "Two kilobytes of text.")

// Streams that are compressed, read by what others have written: each event arrives
// as soon as it is published, and a cut is no more than a cut.
func TestCompressed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		browser string
		run     func(t *testing.T, page string)
		lean    bool
		nginx   bool
	}{
		{"chromium", runChromium, false, false},
		{"chromium", runChromium, true, true},
		{"firefox", runFirefox, false, true},
		{"firefox", runFirefox, true, false},
	} {
		t.Run(fmt.Sprintf("%s,lean=%t,nginx=%t", c.browser, c.lean, c.nginx), func(t *testing.T) {
			s := newCompressed(t, c.lean)
			line := newLine(t, s.server.Listener.Addr().String())
			url := line.url()
			if c.nginx {
				url = startNginx(t, line.listener.Addr().String())
			}
			c.run(t, url)
			for _, via := range []string{"sse", "ws"} {
				s.wait(t, via+" stream.cursor", 1)
			}
			before := s.counted.sent.Load()
			want := s.publishOneByOne(t, 0, 5)
			if sent := s.counted.sent.Load() - before; sent > 2*10*2000/3 {
				t.Errorf("5 events of 2 kB took %d bytes on both streams", sent)
			}
			line.cut()
			line.mend()
			want = append(want, s.publish(t, 5, 8)...)
			s.wait(t, "sse test.page", 8)
			if got := s.data("sse test.page"); !slices.Equal(got, want) || s.count("sse stream.gap") > 0 {
				t.Errorf("over SSE came %.300q and %d gaps, want %.300q", got, s.count("sse stream.gap"), want)
			}
		})
	}
	const fetch = "for await (const piece of (await fetch(process.argv[1])).body) process.stdout.write(piece)"
	for program, args := range map[string][]string{
		"curl": {"-sSN", "--compressed"},
		"node": {"--input-type=module", "-e", fetch}, // undici
	} {
		t.Run(program, func(t *testing.T) { readCompressed(t, program, args...) })
	}
}

// readCompressed has a program print a stream: each event as soon as it is published,
// and the end without complaint.
func readCompressed(t *testing.T, program string, args ...string) {
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, "%s is missing: install it (Debian: apt install curl nodejs)", program)
	}
	s := newCompressed(t, true)
	cmd := exec.CommandContext(t.Context(), path, append(args, s.server.URL+"/events")...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "data: {}" {
	}
	before := s.counted.sent.Load()
	for n := range 3 { // each is read before the next is published
		want := s.publish(t, n, n+1)[0]
		for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
		}
		if got := strings.TrimPrefix(lines.Text(), "data: "); got != want {
			t.Fatalf("%s printed %.100q, %v; want %.100q", program, got, lines.Err(), want)
		}
	}
	if sent := s.counted.sent.Load() - before; sent > 3*2000/3 {
		t.Errorf("3 events of 2 kB took %d bytes", sent)
	}
	if err := s.hub.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s does not like how the stream ends: %v", program, err)
	}
}

// A compressed is a server whose streams are compressed.
type compressed struct {
	hub     *hub.Hub
	server  *httptest.Server
	counted *countedListener
	reports
}

func newCompressed(t *testing.T, lean bool) *compressed {
	s := &compressed{hub: hub.New(&registry, nil)}
	known := func(*http.Request) (hub.Session, error) {
		return hub.Session{User: user, Allowed: hub.Everything()}, nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write(compressPage)
	})
	mux.Handle("/events", sse.NewHandler(s.hub, known, &sse.Options{Lean: lean, Compress: true}))
	mux.Handle("/ws", ws.NewHandler(s.hub, known, &ws.Options{Compress: true}))
	mux.Handle("POST /report", &s.reports)
	s.server = httptest.NewUnstartedServer(mux)
	s.counted = &countedListener{Listener: s.server.Listener}
	s.server.Listener = s.counted
	s.server.Start()
	closeAfter(t, s.hub, s.server)
	return s
}

// publish publishes notes, and returns their data as JSON.
func (s *compressed) publish(t *testing.T, from, to int) (data []string) {
	t.Helper()
	for n := from; n < to; n++ {
		e, err := longNote.New(user, fmt.Sprintf("note %d: %s", n, strings.Repeat(fmt.Sprintf("%d to be or not to be, ", n), 80)))
		if err == nil {
			err = s.hub.Publish(t.Context(), e)
		}
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, string(e.Data()))
	}
	return data
}

// publishOneByOne publishes each note when the one before has arrived on both streams.
func (s *compressed) publishOneByOne(t *testing.T, from, to int) (data []string) {
	t.Helper()
	for n := from; n < to; n++ {
		data = append(data, s.publish(t, n, n+1)...)
		for _, via := range []string{"sse", "ws"} {
			s.wait(t, via+" test.page", n+1)
		}
	}
	return data
}

// A countedListener counts the bytes that are sent on its connections.
type countedListener struct {
	net.Listener
	sent atomic.Int64
}

func (l *countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedConn{c, &l.sent}, nil
}

type countedConn struct {
	net.Conn
	sent *atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

// startNginx starts nginx in front of a server, with compression of its own, and
// returns its address.
func startNginx(t *testing.T, target string) string {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		missing(t, "nginx is missing: install it (Debian: apt install nginx-light)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dir := emptyDir(t)
	config := fmt.Sprintf(`
daemon off; pid %[1]s/pid; error_log %[1]s/error.log; worker_processes 1;
events { worker_connections 100; }
http {
	access_log off;
	client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1;
	server {
		listen %[2]s;
		location / {
			proxy_pass http://%[3]s;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
		}
	}
	map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
}`, dir, addr, target)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", file, "-e", filepath.Join(dir, "error.log"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait() // it was interrupted
	})
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return "http://" + addr
		}
		if time.Since(began) > patience {
			log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			t.Fatalf("nginx does not start: %v\n%s", err, log)
		}
	}
}
