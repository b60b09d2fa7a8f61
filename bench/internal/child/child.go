// Package child runs parts of a program in processes of their own: the program starts itself again in a role. A server
// and its clients are then measured apart, in memory and in processor time.
//
// The parent calls the child's methods with net/rpc, over the child's standard input and output. A child ends when its
// standard input does, so it does not outlive its parent, however the parent ends.
package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	roleVariable = "CRIER_BENCH_ROLE" // in a child's environment, because package testing parses a test binary's arguments
	serviceName  = "Child"            // under which a child registers its receiver
)

// FirstFile is the descriptor of the first file that Start passes to a child.
const FirstFile = 3

// A Role sets a child up. It returns the receiver of the methods that the parent can call; see net/rpc for their form.
type Role func() (receiver any, err error)

// Main runs the role that this process was started for, and then ends the process. In any other process it returns at
// once. Call it first in main and in TestMain.
func Main(roles map[string]Role) {
	name, ok := os.LookupEnv(roleVariable)
	if !ok {
		return
	}
	pipe := stdio{os.Stdin, os.Stdout}
	os.Stdout = os.Stderr // a stray print must not break the protocol
	err := fmt.Errorf("there is no role %q", name)
	var receiver any
	if role := roles[name]; role != nil {
		receiver, err = role()
	}
	server := rpc.NewServer()
	if err == nil {
		err = server.RegisterName(serviceName, receiver)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server.ServeConn(pipe)
	os.Exit(0)
}

// A stdio is the child's end of the connection.
type stdio struct{ in, out *os.File }

// Read ends the process when its input ends, even during a call.
func (s stdio) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	if errors.Is(err, io.EOF) {
		os.Exit(0)
	}
	return n, err
}

func (s stdio) Write(p []byte) (int, error) { return s.out.Write(p) }
func (s stdio) Close() error                { return s.out.Close() }

// A Process is a child, seen from its parent. Its methods are not safe for concurrent use.
type Process struct {
	role   string
	cmd    *exec.Cmd
	client *rpc.Client
	stderr tail
	stop   sync.Once
}

// Start starts this program again in a role. The child inherits the files as descriptor FirstFile and the ones after it.
// It is killed when ctx ends. The caller must call Stop.
func Start(ctx context.Context, role string, files ...*os.File) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	p := &Process{role: role, cmd: exec.CommandContext(ctx, self)}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	p.cmd.ExtraFiles, p.cmd.Stderr, p.cmd.WaitDelay = files, &p.stderr, time.Second
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", role, err)
	}
	p.client = rpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{out, in})
	return p, nil
}

// Call calls a method of the child's receiver. A nil args or reply stands for an empty struct. After a timeout the child
// must be stopped.
func (p *Process) Call(timeout time.Duration, method string, args, reply any) error {
	if args == nil {
		args = struct{}{}
	}
	if reply == nil {
		reply = new(struct{})
	}
	late := time.NewTimer(timeout)
	defer late.Stop()
	select {
	case call := <-p.client.Go(serviceName+"."+method, args, reply, make(chan *rpc.Call, 1)).Done:
		var told rpc.ServerError
		switch {
		case call.Error == nil:
			return nil
		case errors.As(call.Error, &told):
			return fmt.Errorf("%s: the %s says: %w", method, p.role, call.Error)
		}
		p.Stop() // only then is all of its standard error here
		return fmt.Errorf("%s: the %s has ended: %w%s", method, p.role, call.Error, &p.stderr)
	case <-late.C:
		return fmt.Errorf("%s: the %s did not answer within %v%s", method, p.role, timeout, &p.stderr)
	}
}

// Stop ends the child and waits for its end. A child that does not end within a second is killed. Stop may be called more
// than once.
func (p *Process) Stop() {
	p.stop.Do(func() {
		p.client.Close() // and with it the child's standard input
		kill := time.AfterFunc(time.Second, func() { p.cmd.Process.Kill() })
		defer kill.Stop()
		p.cmd.Wait() // errors of the child have been reported by Call
	})
}

// A tail keeps the end of a child's standard error, for error messages.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const size = 4096
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-size):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := bytes.TrimSpace(t.b); len(text) > 0 {
		return "; its standard error ends with:\n" + string(text)
	}
	return ""
}
