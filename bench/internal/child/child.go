// Package child runs parts of a program in processes of their own: the program
// starts itself again in a role. A measurement of a server is blurred by
// clients that share its memory and its processor time.
//
// Parent and child talk over the child's standard input and output, one JSON
// value a line: a request, its reply. A child ends when its standard input
// does, so it does not outlive its parent, however that ends.
package child

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// roleVariable names the role in a child's environment. (Not an argument:
// those of a test binary are parsed by package testing.)
const roleVariable = "CRIER_BENCH_ROLE"

// A Role sets up what a child does, and returns what it can then be asked.
type Role func() (Commands, error)

// Commands answer requests, by their name. One is answered at a time.
type Commands map[string]func(with json.RawMessage) (any, error)

// Command makes a command from a function that takes its argument as a T.
func Command[T any](f func(T) (any, error)) func(json.RawMessage) (any, error) {
	return func(with json.RawMessage) (any, error) {
		var t T
		if len(with) > 0 {
			if err := json.Unmarshal(with, &t); err != nil {
				return nil, err
			}
		}
		return f(t)
	}
}

type request struct {
	Do   string          `json:"do"`
	With json.RawMessage `json:"with,omitempty"`
}

type reply struct {
	Error  string          `json:"error,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// Main runs the role that this process was started for, and then ends it. In
// any other process it returns at once. Call it before anything else.
func Main(roles map[string]Role) {
	name, ok := os.LookupEnv(roleVariable)
	if !ok {
		return
	}
	out := json.NewEncoder(os.Stdout)
	os.Stdout = os.Stderr // what is printed must not come between replies
	role := roles[name]
	if role == nil {
		fatal(fmt.Errorf("there is no role %q", name))
	}
	commands, err := role()
	if err != nil {
		fatal(err)
	}
	requests := read(os.Stdin)
	send(out, reply{}) // ready
	for r := range requests {
		send(out, commands.answer(r))
	}
}

func (c Commands) answer(r request) reply {
	f := c[r.Do]
	if f == nil {
		return reply{Error: fmt.Sprintf("there is no command %q", r.Do)}
	}
	result, err := f(r.With)
	if err != nil {
		return reply{Error: err.Error()}
	}
	b, err := json.Marshal(result)
	if err != nil {
		return reply{Error: err.Error()}
	}
	return reply{Result: b}
}

// read reads requests. It ends the process with its input, also while a
// command is being answered.
func read(in io.Reader) <-chan request {
	requests := make(chan request)
	go func() {
		dec := json.NewDecoder(in)
		for {
			var r request
			if err := dec.Decode(&r); errors.Is(err, io.EOF) {
				os.Exit(0)
			} else if err != nil {
				fatal(err)
			}
			requests <- r
		}
	}()
	return requests
}

func send(out *json.Encoder, r reply) {
	if err := out.Encode(r); err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A Process is a child, seen from its parent. It is for one goroutine.
type Process struct {
	role    string
	cmd     *exec.Cmd
	in      io.WriteCloser
	replies chan reply
	stderr  tail
}

// start is how long a child may take to set itself up.
const start = 20 * time.Second

// FirstFile is the descriptor under which a child finds the first of the files
// that Start has given to it.
const FirstFile = 3

// Start starts this program again in a role, and returns once it is ready. The
// child inherits the files, as FirstFile and the descriptors above it. It is
// killed when ctx ends; whoever has one must call Stop.
func Start(ctx context.Context, role string, files ...*os.File) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	p := &Process{role: role, cmd: exec.CommandContext(ctx, self), replies: make(chan reply, 1)}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	p.cmd.ExtraFiles = files
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = time.Second
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", role, err)
	}
	go p.read(out)
	if _, err := p.wait("starting", start); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

func (p *Process) read(out io.Reader) {
	defer close(p.replies)
	dec := json.NewDecoder(bufio.NewReader(out))
	for {
		var r reply
		if dec.Decode(&r) != nil {
			return
		}
		p.replies <- r
	}
}

// Call has the child answer a request. The result, if it is not nil, is
// decoded into the value that it points to. After a timeout the child must be
// stopped: its answers would come too late.
func (p *Process) Call(timeout time.Duration, do string, with, result any) error {
	b, err := json.Marshal(with)
	if err != nil {
		return err
	}
	line, err := json.Marshal(request{Do: do, With: b})
	if err != nil {
		return err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("%s: the %s does not listen: %w%s", do, p.role, err, &p.stderr)
	}
	r, err := p.wait(do, timeout)
	if err != nil || result == nil {
		return err
	}
	return json.Unmarshal(r.Result, result)
}

func (p *Process) wait(what string, timeout time.Duration) (reply, error) {
	late := time.NewTimer(timeout)
	defer late.Stop()
	select {
	case r, ok := <-p.replies:
		switch {
		case !ok:
			p.Stop() // its last words are read only then
			return r, fmt.Errorf("%s: the %s has ended%s", what, p.role, &p.stderr)
		case r.Error != "":
			return r, fmt.Errorf("%s: the %s says: %s", what, p.role, r.Error)
		}
		return r, nil
	case <-late.C:
		return reply{}, fmt.Errorf("%s: the %s did not answer within %v%s", what, p.role, timeout, &p.stderr)
	}
}

// Stop ends the child: it is asked to go, and killed if it does not. It may be
// called again.
func (p *Process) Stop() {
	p.in.Close()
	kill := time.AfterFunc(time.Second, func() { p.cmd.Process.Kill() })
	defer kill.Stop()
	for range p.replies { // it may have one more to get rid of
	}
	p.cmd.Wait() // its status says no more than its replies did
}

// A tail keeps the end of what a child writes to its standard error, for the
// message that explains why it failed.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const most = 4096
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-most):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(bytes.TrimSpace(t.b)) == 0 {
		return ""
	}
	return "; its standard error ends with:\n" + strings.TrimSpace(string(t.b))
}
