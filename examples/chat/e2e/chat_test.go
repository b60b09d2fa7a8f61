package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildChat builds the chat, once for all tests.
var buildChat = sync.OnceValues(func() (string, error) {
	program := filepath.Join(tempDir, "chat")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the chat does not build: %w\n%s", err, out)
	}
	return program, nil
})

// A chat is the running program. Every test has its own.
type chat struct {
	t       *testing.T
	program string
	key     string // file
	addr    string // host:port
	process *exec.Cmd
	log     *output
}

func startChat(t *testing.T) *chat {
	t.Helper()
	program, err := buildChat()
	if err != nil {
		t.Fatal(err)
	}
	c := &chat{t: t, program: program, key: filepath.Join(t.TempDir(), "key"), addr: "127.0.0.1:0"}
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("the chat's log:\n%s", c.log)
		}
	})
	c.start()
	return c
}

func (c *chat) url() string { return "http://" + c.addr }

// start starts the program; again on the same port, with the same key, after a
// stop or kill.
func (c *chat) start() {
	c.t.Helper()
	if c.log == nil {
		c.log = &output{}
	}
	c.log.addr = make(chan string, 1)
	c.process = exec.Command(c.program, "-addr", c.addr, "-key", c.key)
	c.process.Stderr = c.log
	if err := c.process.Start(); err != nil {
		c.t.Fatal(err)
	}
	select {
	case c.addr = <-c.log.addr:
	case <-time.After(patience):
		c.t.Fatalf("the chat does not say where it listens:\n%s", c.log)
	}
}

// stop ends the program in good order, as Ctrl-C does.
func (c *chat) stop() {
	c.t.Helper()
	if err := c.process.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { c.process.Process.Kill() })
	err := c.process.Wait()
	if !late.Stop() || err != nil {
		c.t.Fatalf("the chat did not stop in good order: %v\n%s", err, c.log)
	}
}

// kill ends it as a crash would. It may have ended already.
func (c *chat) kill() {
	c.process.Process.Kill()
	c.process.Wait()
}

// output is what the program logs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	addr chan string // what it says that it listens on, once for each start
}

var listens = regexp.MustCompile(`http://([0-9.]+:[0-9]+)`)

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m := listens.FindSubmatch(b); m != nil {
		select {
		case o.addr <- string(m[1]):
		default:
		}
	}
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// A script is somebody who uses the chat without a browser.
type script struct {
	t      *testing.T
	chat   *chat
	client *http.Client
}

// script logs somebody in.
func (c *chat) script(name string) *script {
	c.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	transport := &http.Transport{}
	c.t.Cleanup(transport.CloseIdleConnections)
	s := &script{t: c.t, chat: c, client: &http.Client{Jar: jar, Transport: transport, Timeout: patience}}
	resp, err := s.client.PostForm(c.url()+"/login", url.Values{"name": {name}})
	if err != nil {
		c.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK { // of the page that it led to
		c.t.Fatalf("logging in as %q: %s", name, resp.Status)
	}
	return s
}

// post writes to somebody, or in the lobby, and returns the message's id.
func (s *script) post(to, text string) string {
	s.t.Helper()
	id, err := s.tryPost(to, text)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *script) tryPost(to, text string) (string, error) {
	return s.tryPostMessage(map[string]string{"to": to, "text": text})
}

// postIn writes in a room, and returns the message's id.
func (s *script) postIn(room, text string) string {
	s.t.Helper()
	id, err := s.tryPostIn(room, text)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *script) tryPostIn(room, text string) (string, error) {
	return s.tryPostMessage(map[string]string{"room": room, "text": text})
}

func (s *script) tryPostMessage(message map[string]string) (string, error) {
	body, err := json.Marshal(message)
	if err != nil {
		return "", err
	}
	resp, err := s.client.Post(s.chat.url()+"/messages", "application/json", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	var accepted struct{ ID string }
	if err == nil {
		err = json.Unmarshal(answer, &accepted)
	}
	if err != nil || resp.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("posting %q: %s %s (%v)", message, resp.Status, answer, err)
	}
	return accepted.ID, nil
}

// listen opens a stream, so that this person is online until they leave.
func (s *script) listen() (leave func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", s.chat.url()+"/events", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	client := *s.client
	client.Timeout = 0
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}()
	return func() { cancel(); <-done }
}

// texts returns n numbered texts, to be told apart and put in order at a glance.
func texts(prefix string, from, to int) []string {
	var all []string
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprintf("%s %d", prefix, i))
	}
	return all
}
