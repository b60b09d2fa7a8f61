package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A proxy is a program by others between clients and the server. Its recipe is
// what docs/proxies.md shows.
type proxy struct {
	name    string
	program string // empty: none, clients connect to the relay
	// recipe is a file in recipes. In it, app stands for the application's
	// address, and port for the one to listen on; each replacement must apply.
	recipe string
	port   string // the text that the listening address replaces, as "listen 80;"
	listen string // what replaces it, with %s for host:port or %[2]s for the port
	// wrap makes a whole configuration of the recipe, where it is a part of one.
	wrap    func(recipe, dir string) string
	command func(program, config, dir, address string) *exec.Cmd
	needs   func() error
	short   bool
	bare    bool // without its recipe
	// files are copied from recipes; the recipe names their directory as fileDir.
	files   []string
	fileDir string
	second  string // another port on which the recipe listens
	// inProcess serves the proxy from this process.
	inProcess func(listen, backend string) (stop func(), err error)
}

const app = "127.0.0.1:8080"

// start runs the proxy and returns the address at which it listens.
func (p *proxy) start(ctx context.Context, backend string) (host string, stop func(), err error) {
	if p.program == "" && p.inProcess == nil {
		return backend, func() {}, nil
	}
	host, err = freeAddress()
	if err != nil {
		return "", nil, err
	}
	if p.inProcess != nil {
		stop, err := p.inProcess(host, backend)
		return host, stop, err
	}
	dir, err := os.MkdirTemp("", "crier-wild-")
	if err != nil {
		return "", nil, err
	}
	os.Chmod(dir, 0o755) // some proxies drop their rights
	config, err := p.configure(dir, host, backend)
	if err != nil {
		return "", nil, err
	}
	cmd := p.command(p.program, config, dir, host)
	var output tail
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	stop = func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(2 * time.Second):
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		os.RemoveAll(dir)
	}
	listens := until(ctx, 30*time.Second, func() bool {
		select {
		case <-ended:
			return true
		default:
		}
		c, err := net.DialTimeout("tcp", host, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	select {
	case <-ended:
		listens = false
	default:
	}
	if !listens {
		stop()
		return "", nil, fmt.Errorf("does not listen: %s", strings.TrimSpace(output.String()))
	}
	return host, stop, nil
}

// configure writes the recipe with the addresses of this run.
func (p *proxy) configure(dir, listen, backend string) (file string, err error) {
	b, err := os.ReadFile(filepath.Join("recipes", p.recipe))
	if err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(listen)
	_, backendPort, _ := net.SplitHostPort(backend)
	text := string(b)
	if !strings.Contains(text, p.port) {
		return "", fmt.Errorf("%s does not contain %q", p.recipe, p.port)
	}
	second, err := freeAddress()
	if err != nil {
		return "", err
	}
	_, secondPort, _ := net.SplitHostPort(second)
	for _, r := range []struct{ old, new string }{
		{p.port, strings.NewReplacer("HOST:PORT", listen, "PORT", port).Replace(p.listen)},
		{app, backend},
		{`"8080"`, `"` + backendPort + `"`}, // where host and port are apart
		{p.fileDir, dir},
		{p.second, secondPort},
	} {
		if r.old != "" {
			text = strings.ReplaceAll(text, r.old, r.new)
		}
	}
	for _, name := range p.files {
		b, err := os.ReadFile(filepath.Join("recipes", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	if !strings.Contains(text, backendPort) {
		return "", fmt.Errorf("%s does not name the application's address, %s", p.recipe, app)
	}
	if p.wrap != nil {
		text = p.wrap(text, dir)
	}
	file = filepath.Join(dir, filepath.Base(p.recipe))
	return file, os.WriteFile(file, []byte(text), 0o644)
}

func (p *proxy) missing() error {
	if p.program == "" {
		return nil
	}
	if _, err := exec.LookPath(p.program); err != nil {
		return missing{p.program, "Debian's package " + debian[p.program]}
	}
	if p.needs != nil {
		return p.needs()
	}
	return nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
