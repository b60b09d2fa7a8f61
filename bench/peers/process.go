package main

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

// A process is a child of the orchestrator: this program, started again in another role.
type process struct {
	role    string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	replies chan reply
	stderr  *tailBuffer
}

// start runs this program in the given role. The child dies with the context at the latest.
func start(ctx context.Context, boardFile *os.File, role string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	p := &process{role: role, replies: make(chan reply), stderr: &tailBuffer{}}
	p.cmd = exec.CommandContext(ctx, self, append([]string{role}, args...)...)
	p.cmd.ExtraFiles = []*os.File{boardFile}
	p.cmd.Stderr = p.stderr
	p.cmd.WaitDelay = time.Second
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the %s: %w", role, err)
	}
	go p.read(stdout)
	return p, nil
}

func (p *process) read(stdout io.Reader) {
	defer close(p.replies)
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		var r reply
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			r = reply{Error: fmt.Sprintf("unreadable reply %q", lines.Text())}
		}
		p.replies <- r
	}
}

// ask sends a command and waits for its reply.
func (p *process) ask(c command, timeout time.Duration) (reply, error) {
	line, err := json.Marshal(c)
	if err != nil {
		return reply{}, err
	}
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		return reply{}, fmt.Errorf("telling the %s to %s: %w%s", p.role, c.Do, err, p.stderr)
	}
	return p.wait(c.Do, timeout)
}

func (p *process) wait(what string, timeout time.Duration) (reply, error) {
	select {
	case r, ok := <-p.replies:
		if !ok {
			return reply{}, fmt.Errorf("%s: the %s ended%s", what, p.role, p.stderr)
		}
		if r.Error != "" {
			return reply{}, fmt.Errorf("%s: the %s says: %s", what, p.role, r.Error)
		}
		return r, nil
	case <-time.After(timeout):
		return reply{}, fmt.Errorf("%s: the %s did not answer within %v%s", what, p.role, timeout, p.stderr)
	}
}

// idle reports an error if the child has said something unasked, which can only be that it failed.
func (p *process) idle() error {
	select {
	case r, ok := <-p.replies:
		if !ok {
			return fmt.Errorf("the %s ended in the middle%s", p.role, p.stderr)
		}
		return fmt.Errorf("the %s failed in the middle: %s", p.role, r.Error)
	default:
		return nil
	}
}

// stop ends the child: it is asked by closing its stdin, and killed unless it goes within a second.
func (p *process) stop() {
	p.stdin.Close()
	kill := time.AfterFunc(time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	for range p.replies { // unblocks the reader, which would otherwise hold an unwanted reply
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		fmt.Fprintf(os.Stderr, "waiting for the %s: %v\n", p.role, err)
	}
}

// A tailBuffer keeps the end of what a child wrote to its standard error, for the message that explains its failure.
type tailBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - 4096; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tailBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(bytes.TrimSpace(t.b)) == 0 {
		return ""
	}
	return "; its standard error ends with:\n" + strings.TrimSpace(string(t.b))
}
