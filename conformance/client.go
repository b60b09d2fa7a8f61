package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// A process is a client under test: an adapter that reads commands as JSON lines
// on its standard input, and writes reports as JSON lines to its standard
// output. It ends when its input does.
type process struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	stderr  bytes.Buffer // to be read when the process has ended
	reports chan Report  // closed at the end

	mu sync.Mutex // serialises commands
}

// longestLine bounds a report, which may carry an event of 1 MiB.
const longestLine = 16 << 20

func start(ctx context.Context, command []string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, command[0], command[1:]...), reports: make(chan Report, 100)}
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = time.Second
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.reports)
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, longestLine)
		for lines.Scan() {
			var r Report
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				r = Report{Report: "nonsense", Message: fmt.Sprintf("%.200s", lines.Bytes())}
			}
			select {
			case p.reports <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	return p, nil
}

// tell gives the client a command. What it cannot be told it will be missed for.
func (p *process) tell(c Command) {
	p.mu.Lock()
	defer p.mu.Unlock()
	json.NewEncoder(p.stdin).Encode(c)
}

// stop ends the process and returns what it said on its standard error output.
func (p *process) stop() string {
	p.mu.Lock()
	p.stdin.Close()
	p.mu.Unlock()
	kill := time.AfterFunc(2*time.Second, func() { p.cmd.Process.Kill() })
	defer kill.Stop()
	for range p.reports { // until it ends
	}
	p.cmd.Wait()
	return p.stderr.String()
}
