package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// mainEnv tells the test's own binary to be the program.
const mainEnv = "CRIER_TEST_CLUSTER_MAIN"

// patience is how long anything may take here. A machine may be slow.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A program is the running command.
type program struct {
	t     *testing.T
	front string
	cmd   *exec.Cmd

	mu   sync.Mutex
	out  strings.Builder
	pids map[string]int // by address
}

// freePorts returns the first of n ports in a row that are free.
func freePorts(t *testing.T, n int) int {
	for first := 17000 + os.Getpid()%1000*10; first < 32000; first += n {
		free := true
		for i := range n {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+i))
			if free = err == nil; !free {
				break
			}
			l.Close()
		}
		if free {
			return first
		}
	}
	t.Fatal("no free ports")
	return 0
}

var serves = regexp.MustCompile(`a chat process serves.*addr=(\S+) pid=(\d+)`)

func startProgram(t *testing.T) *program {
	p := &program{t: t, front: fmt.Sprintf("127.0.0.1:%d", freePorts(t, 3)), pids: map[string]int{}}
	p.cmd = exec.Command(os.Args[0], "-front", p.front)
	p.cmd.Env = append(os.Environ(), mainEnv+"=1")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			p.mu.Lock()
			fmt.Fprintln(&p.out, lines.Text())
			if m := serves.FindStringSubmatch(lines.Text()); m != nil {
				var pid int
				fmt.Sscan(m[2], &pid)
				p.pids[m[1]] = pid
			}
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		p.cmd.Process.Signal(os.Interrupt)
		err := p.cmd.Wait()
		select {
		case <-read: // no process has the pipe open any more
		case <-time.After(patience):
			t.Error("a process is left behind")
		}
		if err != nil {
			t.Errorf("the program: %v", err)
		}
		if t.Failed() {
			t.Log(p.out.String())
		}
	})
	p.until("it says what to try", func() bool { return strings.Contains(p.log(), "What to try") })
	return p
}

func (p *program) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func (p *program) pid(addr string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pids[addr]
}

func (p *program) until(what string, f func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for !f() {
		if time.Now().After(deadline) {
			p.t.Fatalf("not within %v: %s\n%s", patience, what, p.log())
		}
		<-time.After(20 * time.Millisecond)
	}
}

// A user is somebody with a cookie.
type user struct {
	t      *testing.T
	client *http.Client
	cookie string
}

func (p *program) login(name string) *user {
	jar, _ := cookiejar.New(nil)
	u := &user{t: p.t, client: &http.Client{Jar: jar}}
	resp, err := u.client.PostForm("http://"+p.front+"/login", url.Values{"name": {name}})
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatal(err, resp)
	}
	resp.Body.Close()
	front, _ := url.Parse("http://" + p.front)
	u.cookie = jar.Cookies(front)[0].String()
	return u
}

func (u *user) post(addr, to, text string) {
	u.t.Helper()
	body, _ := json.Marshal(map[string]string{"to": to, "text": text})
	r, _ := http.NewRequest("POST", "http://"+addr+"/messages", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Cookie", u.cookie)
	resp, err := u.client.Do(r)
	if err != nil {
		u.t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusAccepted {
		u.t.Fatalf("%s: %s", resp.Status, b)
	}
}

// An item is what a stream carries.
type item struct{ id, text string }

var textOf = regexp.MustCompile(`"text":"([^"]*)"`)

// events opens an event stream. The channel is closed when it ends.
func (u *user) events(addr, after string) <-chan item {
	u.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	u.t.Cleanup(cancel)
	r, _ := http.NewRequestWithContext(ctx, "GET", "http://"+addr+"/events?categories=chat", nil)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Cookie", u.cookie)
	if after != "" {
		r.Header.Set("Last-Event-ID", after)
	}
	resp, err := u.client.Do(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		u.t.Fatal(err, resp)
	}
	items := make(chan item, 1000)
	go func() {
		defer close(items)
		defer resp.Body.Close()
		var now item
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "id":
				now.id = value
			case "event":
				now.text = value
			case "data":
				if m := textOf.FindStringSubmatch(value); m != nil {
					now.text = m[1]
				}
			case "":
				items <- now
				now = item{}
			}
		}
	}()
	return items
}

// take returns items until one has the text last, or until the stream ends.
func (u *user) take(items <-chan item, last string) (texts []string, id string, ended bool) {
	u.t.Helper()
	for {
		select {
		case i, ok := <-items:
			if !ok {
				return texts, id, true
			}
			if i.id != "" {
				id = i.id
			}
			if i.text != "stream.cursor" && i.text != "" {
				texts = append(texts, i.text)
			}
			if i.text == last {
				return texts, id, false
			}
		case <-time.After(patience):
			u.t.Fatalf("no %q; got %q", last, texts)
		}
	}
}

func (u *user) shown(addr string) (texts []string) {
	u.t.Helper()
	r, _ := http.NewRequest("GET", "http://"+addr+"/state", nil)
	r.Header.Set("Cookie", u.cookie)
	resp, err := u.client.Do(r)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var st struct {
		Messages []struct{ Data struct{ Text string } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
		return nil
	}
	for _, m := range st.Messages {
		texts = append(texts, m.Data.Text)
	}
	slices.Sort(texts)
	return texts
}

// What the program says can be tried is tried: a process is killed while people
// talk.
func TestKillOneProcess(t *testing.T) {
	p := startProgram(t)
	first, _ := net.ResolveTCPAddr("tcp", p.front)
	one := fmt.Sprintf("127.0.0.1:%d", first.Port+1)
	two := fmt.Sprintf("127.0.0.1:%d", first.Port+2)
	ada, ben := p.login("Ada"), p.login("Ben")

	items := ada.events(one, "")
	_, cursor, _ := ada.take(items, "stream.cursor")
	ben.post(two, "", "1 lobby")
	ben.post(p.front, "Ada", "2 direct")
	got, id, _ := ada.take(items, "2 direct")

	socket, _, err := websocket.DefaultDialer.Dial("ws://"+p.front+"/ws?categories=chat&last_event_id="+cursor, http.Header{"Cookie": {ada.cookie}})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	socket.SetReadDeadline(time.Now().Add(patience))
	var overSocket []string
	for len(overSocket) < 2 {
		_, b, err := socket.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if m := textOf.FindStringSubmatch(string(b)); m != nil {
			overSocket = append(overSocket, m[1])
		}
	}
	if want := []string{"1 lobby", "2 direct"}; !slices.Equal(got, want) || !slices.Equal(overSocket, want) {
		t.Errorf("got %q, and over WebSocket %q", got, overSocket)
	}

	pid := p.pid(one)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if more, _, ended := ada.take(items, "nothing"); !ended || len(more) > 0 {
		t.Errorf("the stream of a killed process: %q", more)
	}
	for range 4 { // each would meet the dead process every other time
		ben.post(p.front, "", "3 lobby")
	}
	ben.post(p.front, "Ada", "4 direct")
	items = ada.events(p.front, id)
	got, _, _ = ada.take(items, "4 direct")
	if want := []string{"3 lobby", "3 lobby", "3 lobby", "3 lobby", "4 direct"}; !slices.Equal(got, want) {
		t.Errorf("after the kill: %q", got)
	}
	p.until("the process is started again", func() bool { return p.pid(one) != pid })
	want := []string{"1 lobby", "2 direct", "3 lobby", "3 lobby", "3 lobby", "3 lobby", "4 direct"}
	for _, addr := range []string{one, two} {
		if got := ada.shown(addr); !slices.Equal(got, want) {
			t.Errorf("%s shows %q, want %q", addr, got, want)
		}
	}
	// The new process resumes what the old one began.
	items = ada.events(one, id)
	if got, _, _ := ada.take(items, "4 direct"); len(got) != 5 {
		t.Errorf("resumed at the new process: %q", got)
	}
}
