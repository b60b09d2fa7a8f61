package proof

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// A proxy is a program of somebody else's between browsers and the server.
type proxy struct {
	program, debianPackage string
	// config returns a configuration that listens on one address and passes
	// on to another, cutting connections that are idle for as long.
	config  func(listen, backend, dir string, idle time.Duration) string
	command func(program, config string) *exec.Cmd
}

var proxies = []proxy{
	{
		// Buffering is left on, as is nginx's default, and gzip is on.
		program: "nginx", debianPackage: "nginx-light or nginx",
		command: func(program, config string) *exec.Cmd { return exec.Command(program, "-c", config, "-e", "stderr") },
		config: func(listen, backend, dir string, idle time.Duration) string {
			return fmt.Sprintf(`
daemon off; pid %[3]s/pid; worker_processes 1; error_log /dev/null;
events {}
http {
	access_log off;
	client_body_temp_path %[3]s/body; proxy_temp_path %[3]s/proxy; fastcgi_temp_path %[3]s/f; uwsgi_temp_path %[3]s/u; scgi_temp_path %[3]s/s;
	gzip on; gzip_types text/event-stream; gzip_min_length 0; gzip_proxied any;
	map $http_upgrade $connection_upgrade { default upgrade; '' close; }
	server {
		listen %[1]s;
		location / {
			proxy_pass http://%[2]s;
			proxy_read_timeout %[4]dms;
			error_page 502 503 504 =200 @later;
		}
		location /ws {
			proxy_pass http://%[2]s;
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
			proxy_read_timeout %[4]dms;
		}
		location @later {
			internal;
			default_type text/event-stream;
			add_header Cache-Control no-cache;
			return 200 "retry: 5000\nevent: stream.end\ndata: {\"reason\":\"unavailable\"}\n\n";
		}
	}
}
`, listen, backend, dir, idle.Milliseconds())
		},
	},
	{
		program: "haproxy", debianPackage: "haproxy",
		command: func(program, config string) *exec.Cmd { return exec.Command(program, "-db", "-f", config) },
		config: func(listen, backend, dir string, idle time.Duration) string {
			return fmt.Sprintf(`
defaults
	mode http
	timeout connect 5s
	timeout client %[3]dms
	timeout server %[3]dms
	timeout tunnel %[3]dms
	compression algo gzip
	compression type text/event-stream
frontend in
	bind %[1]s
	default_backend crier
backend crier
	server one %[2]s
`, listen, backend, idle.Milliseconds())
		},
	},
}

// Behind each proxy, on each transport: nothing sits in a buffer, heartbeats
// keep the connection open, an idle timeout that is too short only costs a
// reconnect, and a stream resumes after the proxy was restarted.
func TestProxies(t *testing.T) {
	for _, p := range proxies {
		t.Run(p.program, func(t *testing.T) {
			program := need(t, p.program, p.debianPackage)
			for _, path := range []string{"/events", "/lean", "/ws"} {
				t.Run(path[1:], func(t *testing.T) {
					t.Parallel() // it mostly waits
					p.try(t, program, path)
				})
			}
		})
	}
}

func (p *proxy) try(t *testing.T, program, path string) {
	const heartbeat, idle = 400 * time.Millisecond, time.Second
	h := hub.New(&kinds, nil)
	backend := serve(t, h, transport.Options{Heartbeat: heartbeat})
	address := freeAddress(t)
	stop := p.start(t, program, address, strings.TrimPrefix(backend.URL, "http://"), idle)
	user := uuid.New()
	r := &reader{t: t, base: "http://" + address, path: path, user: user}

	r.connect()
	n := 0
	publish := func() {
		t.Helper()
		e, err := posted.New(user, payload{N: n})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Publish(context.Background(), e); err != nil {
			t.Fatal(err)
		}
		n++
	}
	for range 5 { // each is seen before the next is published
		publish()
		r.expect(n - 1)
	}
	for range 5 { // two seconds of silence, twice the proxy's patience
		r.heartbeat()
	}
	publish()
	r.expect(n - 1)

	stop()
	publish() // while nobody can be reached
	stop = p.start(t, program, address, strings.TrimPrefix(backend.URL, "http://"), heartbeat/2)
	r.connect()
	r.expect(n - 1)
	r.untilCut() // the proxy is now less patient than the heartbeat
	publish()
	r.connect()
	r.expect(n - 1)
	r.conn.Close()
	stop()
}

// start runs the proxy until stop is called.
func (p *proxy) start(t *testing.T, program, listen, backend string, idle time.Duration) (stop func()) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	write(t, config, []byte(p.config(listen, backend, dir, idle)))
	cmd := p.command(program, config)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}
	t.Cleanup(stop)
	deadline := time.Now().Add(10 * time.Second)
	for {
		c, err := net.DialTimeout("tcp", listen, time.Second)
		if err == nil {
			c.Close()
			return stop
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen: %v", p.program, err)
		}
		<-time.After(10 * time.Millisecond) // another process: there is nothing else to wait for
	}
}

// A deploy: the server is away. EventSource gives up for good on a 502, so
// nginx answers for it, with the configuration that the README shows.
func TestNginxAnswersForTheServer(t *testing.T) {
	program := need(t, proxies[0].program, proxies[0].debianPackage)
	recipe := readFile(t, "wild/recipes/nginx.conf") // shown by the README, see TestDocumentsShowWhatRuns
	nginx := proxies[0]
	nginx.config = func(listen, backend, dir string, _ time.Duration) string {
		server := strings.NewReplacer("listen 80;", "listen "+listen+";", "127.0.0.1:8080", backend).Replace(recipe)
		return fmt.Sprintf(`
daemon off; pid %[1]s/pid; worker_processes 1; error_log /dev/null;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
%[2]s
}`, dir, server)
	}
	address := freeAddress(t)
	nginx.start(t, program, address, freeAddress(t), time.Second)
	resp, err := http.Get("http://" + address + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("got %s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	body := bufio.NewReader(resp.Body)
	if line, _ := body.ReadString('\n'); !regexp.MustCompile(`^retry: [2468]000\n$`).MatchString(line) {
		t.Errorf("the stream begins with %q", line)
	}
	// An event, since clients ignore a retry without one or hand out an empty event.
	f, err := readSSE(body)
	if err != nil || f.Event != "stream.end" || string(f.Data) != `{"reason":"unavailable"}` {
		t.Errorf("got %+v, %v", f, err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A reader is a client that a test leads by the hand.
type reader struct {
	t          *testing.T
	base, path string
	user       uuid.UUID
	last       string
	conn       net.Conn
	next       func() (frame, error)
}

// connect opens the stream, resuming from the last id, and reads the opening.
func (r *reader) connect() {
	r.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.base, "http://"))
	if err != nil {
		r.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	r.conn = conn
	r.next, _, err = open(conn, strings.TrimPrefix(r.base, "http://"), r.path, url.Values{"user": {r.user.String()}}, r.last)
	if err != nil {
		r.t.Fatal(err)
	}
	if f := r.frame(); f.Event != "stream.cursor" {
		r.t.Fatalf("the stream begins with %+v", f)
	}
}

func (r *reader) frame() frame {
	r.t.Helper()
	f, err := r.next()
	if err != nil {
		r.t.Fatalf("the stream broke: %v", err)
	}
	r.last = f.ID
	return f
}

// expect reads the event with this number, past heartbeats.
func (r *reader) expect(n int) {
	r.t.Helper()
	for {
		f := r.frame()
		if f.Event == "stream.cursor" {
			continue
		}
		if want := fmt.Sprintf(`{"n":%d}`, n); f.Event != "chat.posted" || string(f.Data) != want {
			r.t.Fatalf("got %s %s, want %s", f.Event, f.Data, want)
		}
		return
	}
}

func (r *reader) heartbeat() {
	r.t.Helper()
	if f := r.frame(); f.Event != "stream.cursor" {
		r.t.Fatalf("got %s, not a heartbeat", f.Event)
	}
}

// untilCut reads until somebody closes the connection.
func (r *reader) untilCut() {
	for {
		f, err := r.next()
		if err != nil {
			break
		}
		if f.ID != "" {
			r.last = f.ID
		}
	}
	r.conn.Close()
}
