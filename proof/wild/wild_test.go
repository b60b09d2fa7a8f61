package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestExpected reads expected.txt, and writes it back as it was.
func TestExpected(t *testing.T) {
	before, err := os.ReadFile("expected.txt")
	if err != nil {
		t.Fatal(err)
	}
	b, err := readBook("expected.txt")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.unexplained(); err != nil {
		t.Error(err)
	}
	b.file = filepath.Join(t.TempDir(), "expected.txt")
	if err := b.update(nil); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	if string(after) != string(before) {
		t.Errorf("expected.txt is not as -update writes it:\n%s", after)
	}
	for _, p := range proxies {
		for _, c := range chosenClients(p, "", false) {
			if b.line(row{proxy: p.name, client: c.name}) == nil {
				t.Errorf("expected.txt has no line on %s, %s", p.name, c.name)
			}
		}
	}
}

func TestCompare(t *testing.T) {
	l, err := parseLine("direct  a client  ok  lost*  ok  stops|late  ok  ok  beat  # a reason")
	if err != nil {
		t.Fatal(err)
	}
	b := &book{lines: []*line{l}}
	for _, test := range []struct {
		verdicts string
		failed   int
		says     string
	}{
		{"ok lost ok stops ok ok beat", 0, ""},
		{"ok ok ok late ok ok beat", 0, "BETTER: direct, a client, fin"},
		{"ok lost ok lost ok ok ghost", 2, "WORSE: direct, a client, mid-frame is lost, must be stops|late"},
		{"refused - - - - - -", 7, "connect is refused, must be ok"},
	} {
		r := row{proxy: "direct", client: "a client"}
		for i, v := range strings.Fields(test.verdicts) {
			r.cells[i].verdict = v
		}
		var out strings.Builder
		if failed := b.compare(&out, []row{r}); failed != test.failed || !strings.Contains(out.String(), test.says) {
			t.Errorf("%s: %d failed, want %d, and want %q in\n%s", test.verdicts, failed, test.failed, test.says, &out)
		}
	}
	var out strings.Builder
	if failed := b.compare(&out, []row{{proxy: "direct", client: "another"}}); failed != 1 {
		t.Errorf("a client without a line must fail: %s", &out)
	}
	if _, err := parseLine("direct  a client  ok"); err == nil {
		t.Error("a line without all columns has been accepted")
	}
	l.note = ""
	if b.unexplained() == nil {
		t.Error("a cell that is not ok has been accepted without a note")
	}
}

// TestAgain tries again what was slow, never what was lost.
func TestAgain(t *testing.T) {
	l, err := parseLine("direct  a client  ok  lost*  ok  ok  ok  ok  beat  # a reason")
	if err != nil {
		t.Fatal(err)
	}
	b := &book{lines: []*line{l}}
	for verdicts, again := range map[string]bool{
		"ok ok ok ok ok ok ok":          false,
		"ok lost ok ok ok ok beat":      false,
		"ok lost ok stops ok ok ok":     true,
		"refused - - - - - -":           true,
		"ok lost ok stops doubled ok -": false,
		"ok lost lost ok ok ok ok":      false,
	} {
		r := row{proxy: "direct", client: "a client"}
		for i, v := range strings.Fields(verdicts) {
			r.cells[i].verdict = v
		}
		if got := len(b.again([]row{r})) > 0; got != again {
			t.Errorf("%s: tried again: %v, want %v", verdicts, got, again)
		}
	}
}

// TestRelay cuts a connection in every way that the relay knows.
func TestRelay(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan net.Conn, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served <- c
		}
	}()
	r, err := newRelay(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.down()
	for _, test := range []struct {
		name string
		cut  func(server net.Conn)
		want string
		fin  bool
	}{
		{"fin", func(net.Conn) { r.cutAll(false) }, "hello ", true},
		{"rst", func(net.Conn) { r.cutAll(true) }, "hello ", false},
		{"mid-frame", func(c net.Conn) { r.cutAt("a mark"); io.WriteString(c, "then a mark, and more") }, "hello then a m", true},
		{"the server's own end", func(c net.Conn) { c.Close() }, "hello ", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, err := net.Dial("tcp", r.address)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			client.SetDeadline(time.Now().Add(10 * time.Second))
			server := <-served
			defer server.Close()
			io.WriteString(server, "hello ")
			first := make([]byte, 6)
			if _, err := io.ReadFull(client, first); err != nil {
				t.Fatal(err)
			}
			test.cut(server)
			rest, err := io.ReadAll(client)
			if got := string(first) + string(rest); got != test.want || (err == nil) != test.fin {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// TestSplit holds the groups to the six connections of a browser.
func TestSplit(t *testing.T) {
	var all []*client
	for i := range clients {
		all = append(all, &clients[i])
	}
	var names []string
	for _, group := range split(all) {
		held := map[*engine]int{}
		for _, c := range group {
			names = append(names, c.name)
			if c.engine != nil && c.stream != "ws" {
				held[c.engine]++
			}
		}
		for e, n := range held {
			if n > 4 {
				t.Errorf("%s has %d streams to one address", e.name, n)
			}
		}
	}
	slices.Sort(names)
	if len(names) != len(clients) || len(slices.Compact(names)) != len(clients) {
		t.Errorf("some clients are missing or doubled: %q", names)
	}
}

// TestPackages holds debian-packages, which CI installs, to what the bench asks for.
func TestPackages(t *testing.T) {
	text, err := os.ReadFile("debian-packages")
	if err != nil {
		t.Fatal(err)
	}
	packages := strings.Fields(string(text))
	for program, name := range debian {
		if !slices.Contains(packages, name) && name != "bash" {
			t.Errorf("%s's package %s is not in debian-packages", program, name)
		}
	}
	for _, c := range pythonClients {
		library, _, _ := strings.Cut(c.name, " ")
		if !slices.Contains(packages, "python3-"+library) {
			t.Errorf("python3-%s is not in debian-packages", library)
		}
	}
}

// TestConfigure writes every recipe with the addresses of a run.
func TestConfigure(t *testing.T) {
	for _, p := range proxies {
		if p.recipe == "" {
			continue
		}
		file, err := p.configure(t.TempDir(), "127.0.0.1:1111", "127.0.0.1:2222")
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "8080") || !strings.Contains(string(text), "2222") {
			t.Errorf("%s:\n%s", p.name, text)
		}
	}
}
