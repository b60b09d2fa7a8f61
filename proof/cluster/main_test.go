package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	redisclient "github.com/redis/go-redis/v9"
)

// roleEnv tells the test's own binary to be something else: a process of the
// application, or a NATS server.
const roleEnv = "CRIER_PROOF_ROLE"

// patience is how long something may take to start, or to settle. A machine may
// be slow.
const patience = time.Minute

// A role is what a child process is, as JSON in roleEnv.
type role struct {
	Process *processRole `json:",omitempty"`
	NATS    *natsRole    `json:",omitempty"`
}

func TestMain(m *testing.M) {
	redisclient.SetLogger(silence{}) // it logs every connection that a test breaks
	if config := os.Getenv(roleEnv); config != "" {
		var r role
		err := json.Unmarshal([]byte(config), &r)
		switch {
		case err != nil:
		case r.Process != nil:
			err = r.Process.run()
		case r.NATS != nil:
			err = r.NATS.run()
		}
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// A child is a process of the test's own binary.
type child struct {
	role role
	cmd  *exec.Cmd
	log  *os.File
}

// newChild returns a child that is not started yet. It is killed at the end of the
// test; what it has logged is shown if the test fails.
func newChild(t testing.TB, name string, r role) *child {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	c := &child{role: r, log: log}
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("the end of what %s has logged:\n%s", name, b[max(0, len(b)-4000):])
		}
		log.Close()
	})
	return c
}

// start starts the child, and waits until it is ready.
func (c *child) start(t testing.TB) {
	t.Helper()
	config, err := json.Marshal(c.role)
	if err != nil {
		t.Fatal(err)
	}
	// A child that was killed may leave its port in use for a moment.
	deadline := time.Now().Add(patience)
	for {
		line, err := c.try(config)
		if err == nil && line == "ready" {
			return
		}
		c.kill()
		if time.Now().After(deadline) {
			t.Fatalf("a child does not start: %q, %v", line, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (c *child) try(config []byte) (line string, err error) {
	c.cmd = exec.Command(os.Args[0])
	c.cmd.Env = append(os.Environ(), roleEnv+"="+string(config))
	c.cmd.Stderr = c.log
	if _, err := c.cmd.StdinPipe(); err != nil { // its end ends the child
		return "", err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := c.cmd.Start(); err != nil {
		return "", err
	}
	line, err = bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(line), err
}

// kill kills the child with SIGKILL.
func (c *child) kill() {
	if c.cmd == nil || c.cmd.Process == nil {
		return
	}
	c.cmd.Process.Kill()
	c.cmd.Wait()
	c.cmd = nil
}

// untilParentEnds is how a child waits for its end.
func untilParentEnds() {
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadByte()
}

var ports atomic.Int32

// freePort returns a port that is free now. It lies below the range from which
// the system takes the local ports of outgoing connections: one of those could
// take it while a server restarts.
func freePort(t testing.TB) int {
	for range 1000 {
		port := 16000 + (os.Getpid()*37+int(ports.Add(1)))%16000
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// need returns where a program is that a test cannot do without. Where it is
// missing, the test says so, and in CI that is a failure.
func need(t testing.TB, program, debianPackage string) string {
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
