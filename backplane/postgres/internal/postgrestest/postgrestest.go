// Package postgrestest starts PostgreSQL servers for tests.
package postgrestest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience is how long a server may take to start, or to do what was asked.
const patience = 30 * time.Second

// Find returns where a program is. Debian keeps those of PostgreSQL where users
// do not look.
func Find(program string) (path string, ok bool) {
	if path, err := exec.LookPath(program); err == nil {
		return path, true
	}
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + program)
	if sbin, err := exec.LookPath("/usr/sbin/" + program); err == nil {
		paths = append(paths, sbin)
	}
	if len(paths) == 0 {
		return "", false
	}
	return slices.Max(paths), true
}

// Need is Find for a test that cannot do without. Where the program is missing,
// the test says so, and in CI that is a failure.
func Need(t testing.TB, program, debianPackage string) string {
	t.Helper()
	path, ok := Find(program)
	if ok {
		return path
	}
	if os.Getenv("CI") != "" || os.Getenv("REQUIRE") != "" {
		t.Fatalf("%s is missing (Debian's package %s)", program, debianPackage)
	}
	t.Skipf("not run here: %s is missing (Debian's package %s)", program, debianPackage)
	return ""
}

// A Server is a PostgreSQL server on a port of 127.0.0.1 and with data of its
// own. It is stopped, and its data removed, at the end of the test.
type Server struct {
	Port int
	Dir  string // of the data

	postgres string
	settings []string
	process  *exec.Cmd
	exited   chan struct{}
	next     atomic.Int32
}

// Start creates a cluster and starts it. Settings are as in name=value. Its
// superuser is postgres, whom it trusts.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := prepare(t, settings)
	Run(t, Need(t, "initdb", "postgresql"), "-D", s.Dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	s.startSomewhere(t)
	return s
}

// Standby starts a server that follows s, from a copy of its data.
func (s *Server) Standby(t testing.TB, settings ...string) *Server {
	t.Helper()
	standby := prepare(t, settings)
	Run(t, Need(t, "pg_basebackup", "postgresql"), "-D", standby.Dir, "-R", "--checkpoint=fast", "--no-sync",
		"-d", s.URL("postgres"))
	standby.startSomewhere(t)
	return standby
}

func prepare(t testing.TB, settings []string) *Server {
	t.Helper()
	s := &Server{postgres: Need(t, "postgres", "postgresql"), settings: settings}
	dir := TempDir(t)
	s.Dir = filepath.Join(dir, "data")
	t.Cleanup(s.Kill)
	return s
}

// TempDir returns a directory that belongs to the user that servers run as. It
// is removed at the end of the test.
func TempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "crier-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if c := credential(t); c != nil {
		if err := os.Chown(dir, int(c.Uid), int(c.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// credential is that of the user postgres, for a test that runs as root, whom
// PostgreSQL refuses.
func credential(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("PostgreSQL refuses root, and there is no user postgres: %v", err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// Command returns a command that runs as the user that servers run as.
func Command(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(program, args...)
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t)}
	return c
}

// Run runs a program to its end.
func Run(t testing.TB, program string, args ...string) []byte {
	t.Helper()
	out, err := Command(t, program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return out
}

var nextPort atomic.Int32

// FreePort returns a port that is free now. It lies below the range from which
// the system takes the local ports of outgoing connections: one of those could
// take it while a server restarts.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 16000 + (os.Getpid()*37+int(nextPort.Add(1)))%16000
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func (s *Server) startSomewhere(t testing.TB) {
	t.Helper()
	// A port that is free now may not be free when the server binds it.
	for range 5 {
		s.Port = FreePort(t)
		if s.start(t) {
			return
		}
	}
	t.Fatalf("the server did not start: %s", s.Log())
}

// Addr returns the server's host:port.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.Port) }

// URL returns a connection string for a database.
func (s *Server) URL(database string) string { return URL(s.Addr(), "postgres", database) }

// URL returns a connection string for any address and user.
func URL(addr, user, database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", user, addr, database)
}

// Database creates a database and returns its name.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.next.Add(1))
	s.Exec(t, "postgres", "CREATE DATABASE "+name)
	return name
}

// Connect connects to a database.
func (s *Server) Connect(t testing.TB, database string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(context.Background(), s.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// Exec runs statements in a database, with a connection of its own.
func (s *Server) Exec(t testing.TB, database string, statements ...string) {
	t.Helper()
	c, err := pgx.Connect(context.Background(), s.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	for _, sql := range statements {
		if _, err := c.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// Kill ends the server as a crash does, with all its processes.
func (s *Server) Kill() { s.stop(syscall.SIGKILL) }

// Stop ends the server as an administrator does who does not wait for clients.
func (s *Server) Stop() { s.stop(syscall.SIGINT) }

func (s *Server) stop(signal os.Signal) {
	if s.process == nil {
		return
	}
	s.process.Process.Signal(signal)
	<-s.exited
	s.process = nil
}

// Restart starts the server again, on the same port and with the same data.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	deadline := time.Now().Add(patience)
	// After SIGKILL, its processes live a little longer, and it does not
	// start before they are gone.
	for !s.start(t) {
		if time.Now().After(deadline) {
			t.Fatalf("the server did not start again: %s", s.Log())
		}
		<-time.After(50 * time.Millisecond)
	}
}

// start reports whether the server accepts connections.
func (s *Server) start(t testing.TB) bool {
	t.Helper()
	args := []string{"-D", s.Dir, "-p", strconv.Itoa(s.Port)}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=32MB", "max_connections=100",
		"dynamic_shared_memory_type=mmap", "recovery_init_sync_method=syncfs",
	}, s.settings...) {
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(s.Dir+".log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.process = Command(t, s.postgres, args...)
	s.process.Stdout, s.process.Stderr = log, log
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
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}

// answers reports whether the server accepts connections, and is this one, not
// somebody else's on the same port.
func (s *Server) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return false
	}
	defer c.Close(ctx)
	var dir string
	err = c.QueryRow(ctx, "SHOW data_directory").Scan(&dir)
	return err == nil && dir == s.Dir
}

// Log returns the end of what the server has logged.
func (s *Server) Log() string {
	b, _ := os.ReadFile(s.Dir + ".log")
	lines := bytes.Split(b, []byte("\n"))
	return strings.TrimSpace(string(bytes.Join(lines[max(0, len(lines)-30):], []byte("\n"))))
}

// CPU returns the processor time that the server's processes have used.
func (s *Server) CPU(t testing.TB) time.Duration {
	t.Helper()
	const hertz = 100 // USER_HZ
	ticks := 0
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		pid := strings.TrimSuffix(strings.TrimPrefix(file, "/proc/"), "/stat")
		own := strconv.Itoa(s.process.Process.Pid)
		if pid != own && fields[1] != own {
			continue
		}
		for _, f := range fields[11:13] {
			n, _ := strconv.Atoi(f)
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / hertz
}
