package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// A redisServer is a redis-server in a directory of its own.
type redisServer struct {
	program, dir string
	port         int
	flags        []string
	cmd          *exec.Cmd
}

func (s *redisServer) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

func (s *redisServer) start(t testing.TB) {
	t.Helper()
	args := append([]string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--save", ""}, s.flags...)
	s.cmd = exec.Command(s.program, args...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listens(t, s.addr())
}

func (s *redisServer) kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// listens waits until something accepts connections.
func listens(t testing.TB, addr string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing listens on %s after %v", addr, patience)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func tryRedis(t *testing.T, lossy bool, flags ...string) {
	s := &redisServer{program: need(t, "redis-server", "redis-server"), dir: t.TempDir(), port: freePort(t), flags: flags}
	t.Cleanup(s.kill)
	s.start(t)
	e := &engine{direct: "redis://" + s.addr() + "/0", lossy: lossy}
	for i := range processes {
		l := newLink(t, s.addr(), i)
		e.links = append(e.links, l)
		e.urls = append(e.urls, "redis://"+l.proxy.Addr()+"/0")
	}
	e.faults = []fault{{name: "server restarted", do: func(t testing.TB, r *rand.Rand) {
		s.kill()
		time.Sleep(time.Duration(r.Int64N(int64(2 * time.Second))))
		s.start(t)
	}}}
	try(t, e)
}

// A server that is killed and has its data when it starts again.
func TestRedis(t *testing.T) { tryRedis(t, false, "--appendonly", "yes", "--appendfsync", "always") }

// One that has lost everything when it starts again.
func TestRedisLosesItsData(t *testing.T) { tryRedis(t, true, "--appendonly", "no") }
