package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A postgresServer is a PostgreSQL server with data of its own.
type postgresServer struct {
	program, dir string
	port         int
	cmd          *exec.Cmd
}

func (s *postgresServer) url(addr string) string {
	return "postgres://postgres@" + addr + "/postgres?sslmode=disable"
}

func (s *postgresServer) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// needPostgres is need for a program of PostgreSQL. Debian keeps them where users
// do not look.
func needPostgres(t testing.TB, program string) string {
	t.Helper()
	if paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program); len(paths) > 0 {
		return slices.Max(paths)
	}
	return need(t, program, "postgresql")
}

// asPostgres lets a command run as a user whom PostgreSQL accepts: not as root.
func asPostgres(t testing.TB, c *exec.Cmd) *exec.Cmd {
	t.Helper()
	c.Dir = "/"
	if os.Getuid() == 0 {
		uid, gid := postgresUser(t)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
	return c
}

func postgresUser(t testing.TB) (uid, gid uint32) {
	t.Helper()
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("PostgreSQL refuses root, and there is no user postgres: %v", err)
	}
	n, _ := strconv.ParseUint(u.Uid, 10, 32)
	m, _ := strconv.ParseUint(u.Gid, 10, 32)
	return uint32(n), uint32(m)
}

func newPostgres(t testing.TB) *postgresServer {
	t.Helper()
	initdb := needPostgres(t, "initdb")
	dir, err := os.MkdirTemp("", "crier-proof-") // t.TempDir is inaccessible to another user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Getuid() == 0 {
		uid, gid := postgresUser(t)
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			t.Fatal(err)
		}
	}
	s := &postgresServer{program: needPostgres(t, "postgres"), dir: filepath.Join(dir, "data"), port: freePort(t)}
	if out, err := asPostgres(t, exec.Command(initdb, "-D", s.dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")).CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	t.Cleanup(s.crash)
	s.start(t)
	return s
}

func (s *postgresServer) start(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		s.cmd = asPostgres(t, exec.Command(s.program, "-D", s.dir, "-p", strconv.Itoa(s.port),
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "shared_buffers=32MB",
			"-c", "dynamic_shared_memory_type=mmap", "-c", "recovery_init_sync_method=syncfs"))
		if err := s.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		exited := make(chan struct{})
		go func(c *exec.Cmd) { c.Wait(); close(exited) }(s.cmd)
		for s.answers() != nil {
			select {
			case <-exited: // processes of the server before may still be there
			case <-time.After(50 * time.Millisecond):
				continue
			}
			break
		}
		if s.answers() == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the PostgreSQL server does not start within %v", patience)
		}
	}
}

func (s *postgresServer) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, s.url(s.addr()))
	if err == nil {
		c.Close(ctx)
	}
	return err
}

// crash ends the server without a checkpoint, so that it recovers from its log
// when it starts again.
func (s *postgresServer) crash() {
	if s.cmd != nil {
		s.cmd.Process.Signal(syscall.SIGQUIT)
		for s.cmd.Process.Signal(syscall.Signal(0)) == nil {
			time.Sleep(10 * time.Millisecond)
		}
		s.cmd = nil
	}
}

// hold holds a transaction open that has written something of its own.
func (s *postgresServer) hold(t testing.TB, d time.Duration) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, s.url(s.addr()))
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, "CREATE TABLE IF NOT EXISTS somebody_elses (n int)")
	if err == nil {
		_, err = c.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ")
	}
	if err == nil {
		_, err = c.Exec(ctx, "INSERT INTO somebody_elses VALUES (1)")
	}
	if err == nil {
		time.Sleep(d)
		_, err = c.Exec(ctx, "COMMIT")
	}
	if err != nil {
		t.Errorf("somebody else's transaction: %v", err)
	}
}

// A server that crashes, and one on which somebody else's transaction stays open.
func TestPostgreSQL(t *testing.T) {
	s := newPostgres(t)
	e := &engine{direct: s.url(s.addr())}
	for i := range processes {
		l := newLink(t, s.addr(), i)
		e.links = append(e.links, l)
		e.urls = append(e.urls, s.url(l.proxy.Addr()))
	}
	held := 8 * time.Second
	if *soak {
		held = time.Minute
	}
	e.faults = []fault{
		{name: "server crashed", do: func(t testing.TB, r *rand.Rand) {
			s.crash()
			time.Sleep(time.Duration(r.Int64N(int64(2 * time.Second))))
			s.start(t)
		}},
		{name: fmt.Sprintf("transaction held for %v", held), keeps: true, do: func(t testing.TB, r *rand.Rand) { s.hold(t, held) }},
	}
	try(t, e)
}
