// Package redistest starts Redis servers for tests.
package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/internal/client"
)

// patience is how long a server may take to start, or to do what was asked.
const patience = 30 * time.Second

// Need returns where a program is that a test cannot do without. Where it is
// missing, the test says so, and in CI that is a failure.
func Need(t testing.TB, program, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("CI") != "" || os.Getenv("REQUIRE") != "" {
		t.Fatalf("%s is missing (Debian's package %s)", program, debianPackage)
	}
	t.Skipf("not run here: %s is missing (Debian's package %s)", program, debianPackage)
	return ""
}

// A Server is a redis-server on a port of 127.0.0.1 and in a directory of its
// own. It is killed at the end of the test.
type Server struct {
	Port int
	Dir  string

	program string
	flags   []string
	process *exec.Cmd
	exited  chan struct{}
}

// Start starts a server that keeps nothing on disk unless the flags say so. They
// are those of redis-server's command line.
func Start(t testing.TB, flags ...string) *Server {
	t.Helper()
	s := &Server{
		program: Need(t, "redis-server", "redis-server"),
		Dir:     t.TempDir(),
		flags:   append([]string{"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"}, flags...),
	}
	t.Cleanup(s.Kill)
	// A port that is free now may not be free when the server binds it.
	for range 5 {
		s.Port = freePort(t)
		if s.start(t) {
			return s
		}
	}
	t.Fatalf("redis-server did not start: %s", s.log())
	return nil
}

// StartSentinel starts a Sentinel that watches master by name and declares it
// down after 500 ms.
func StartSentinel(t testing.TB, name string, master *Server) *Server {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	conf := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d 1\nsentinel down-after-milliseconds %[1]s 500\nsentinel failover-timeout %[1]s 3000\n",
		name, master.Port)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{program: Need(t, "redis-server", "redis-server"), Dir: dir, flags: []string{file, "--sentinel"}}
	t.Cleanup(s.Kill)
	for range 5 {
		s.Port = freePort(t)
		if s.start(t) {
			return s
		}
	}
	t.Fatalf("the Sentinel did not start: %s", s.log())
	return nil
}

// next keeps servers of one process from being given one port in turn.
var next atomic.Int32

func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		// Below the range from which the system takes the local ports of
		// outgoing connections: one of those could take the port while a
		// server restarts. And below 55536: a cluster's bus is at port+10000.
		port := 16000 + (os.Getpid()*37+int(next.Add(1)))%16000
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// Addr returns the server's host:port.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.Port) }

// Client returns a client of the server, which is closed at the end of the test.
func (s *Server) Client(t testing.TB) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	t.Cleanup(func() { c.Close() })
	return c
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	s.process.Process.Kill()
	<-s.exited
	s.process = nil
}

// Stop suspends the server, as if its machine hung, until Continue.
func (s *Server) Stop() { s.process.Process.Signal(syscall.SIGSTOP) }

// Continue ends a Stop.
func (s *Server) Continue() { s.process.Process.Signal(syscall.SIGCONT) }

// Restart starts the server again, on the same port and in the same directory,
// after it was killed. More flags apply from now on.
func (s *Server) Restart(t testing.TB, flags ...string) {
	t.Helper()
	s.Kill()
	s.flags = append(s.flags, flags...)
	if !s.start(t) {
		t.Fatalf("redis-server did not start again: %s", s.log())
	}
}

// start reports whether the server accepts commands.
func (s *Server) start(t testing.TB) bool {
	t.Helper()
	args := append([]string{}, s.flags...)
	args = append(args, "--port", strconv.Itoa(s.Port), "--bind", "127.0.0.1", "--dir", s.Dir,
		"--logfile", filepath.Join(s.Dir, "log"), "--loglevel", "notice")
	s.process = exec.Command(s.program, args...)
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	s.exited = exited
	process := s.process
	go func() {
		process.Wait()
		close(exited)
	}()

	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if s.answers() {
			return true
		}
		select {
		case <-exited:
			s.process = nil
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return false
}

// answers reports whether the server has loaded its data, and is this one, not
// somebody else's on the same port.
func (s *Server) answers() bool {
	n, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return false // go-redis would log it
	}
	n.Close()
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1})
	defer c.Close()
	if c.Ping(context.Background()).Err() != nil {
		return false
	}
	info, err := c.Info(context.Background(), "server").Result()
	return err == nil && client.Field(info, "process_id") == strconv.Itoa(s.process.Process.Pid)
}

func (s *Server) log() string {
	b, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
	return string(b[max(0, len(b)-2000):])
}

// Eventually waits until f returns nil, and fails the test with f's error if
// that takes too long.
func Eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v: %v", what, patience, err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// Replicate makes replica a replica of master, and waits until it is in sync.
func Replicate(t testing.TB, replica, master *Server) {
	t.Helper()
	ReplicateFrom(t, replica, master.Addr())
}

// ReplicateFrom is Replicate for a master that is reached at addr.
func ReplicateFrom(t testing.TB, replica *Server, addr string) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	c := replica.Client(t)
	if err := c.ReplicaOf(context.Background(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "the replica is in sync", func() error {
		info, err := c.Info(context.Background(), "replication").Result()
		if err == nil && client.Field(info, "master_link_status") != "up" {
			err = fmt.Errorf("it says %s", info)
		}
		return err
	})
}
