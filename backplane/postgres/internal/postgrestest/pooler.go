package postgrestest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pooler starts a PgBouncer before the server, with a pool mode (session,
// transaction), and returns its address.
func (s *Server) Pooler(t testing.TB, mode string) string {
	t.Helper()
	program := Need(t, "pgbouncer", "pgbouncer")
	for range 5 {
		port := FreePort(t)
		dir := TempDir(t)
		file := filepath.Join(dir, "pgbouncer.ini")
		config := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%d user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = %s
default_pool_size = 10
logfile = %s
`, s.Port, port, mode, filepath.Join(dir, "log"))
		if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		c := Command(t, program, "-q", file)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		exited := make(chan struct{})
		go func() {
			c.Wait()
			close(exited)
		}()
		t.Cleanup(func() {
			select {
			case <-exited:
				b, _ := os.ReadFile(filepath.Join(dir, "log"))
				t.Logf("pgbouncer has ended by itself: %v\n%s", c.ProcessState, b[max(0, len(b)-2000):])
			default:
			}
			c.Process.Kill()
			<-exited
		})
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if answers(addr, exited) {
			return addr
		}
	}
	t.Fatal("pgbouncer did not start")
	return ""
}

func answers(addr string, exited <-chan struct{}) bool {
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		c, err := pgx.Connect(ctx, URL(addr, "postgres", "postgres"))
		if err == nil {
			c.Close(ctx)
		}
		cancel()
		if err == nil {
			return true
		}
		select {
		case <-exited:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}
