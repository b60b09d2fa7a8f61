package chat

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/crier-go/crier/hub/backplanetest"
)

// useState opens a state file, and a server with what it keeps. It returns what was
// logged, too.
func useState(t *testing.T, name string) (*stateFile, *server, string, error) {
	t.Helper()
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	f, err := openStateFile(name)
	if err != nil {
		return nil, nil, "", err
	}
	t.Cleanup(func() { f.close() })
	s, err := f.restore(log, func(from *saved) (*server, error) {
		return openServer(t.Context(), testKey, Options{Logger: log}, from)
	})
	if err == nil {
		t.Cleanup(s.abandon)
	}
	return f, s, logged.String(), err
}

// files returns the names in the directory of a file, without the lock.
func files(t *testing.T, file string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			names = append(names, e.Name())
		}
	}
	return names
}

func write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A state is in the file only between two runs.
func TestStateFileIsUsedOnce(t *testing.T) {
	c, _, _, _ := busy(t)
	name := filepath.Join(t.TempDir(), "state")
	f, first, logged, err := useState(t, name)
	if err != nil || logged != "" || len(first.people.all()) != 0 {
		t.Fatalf("without a file: %v, %q", err, logged)
	}
	if got := files(t, name); len(got) != 0 {
		t.Errorf("while it runs there are %q", got)
	}
	state := c.stopped()
	save := func(w io.Writer) error { _, err := w.Write(state); return err }
	if err := errors.Join(f.save(save), f.close()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != int64(len(state)) {
		t.Errorf("%v, %v", info, err)
	}
	if got := files(t, name); !slices.Equal(got, []string{"state"}) {
		t.Errorf("saved are %q", got)
	}

	f, second, logged, err := useState(t, name)
	if err != nil || !strings.Contains(logged, "goes on") || len(second.people.all()) != 3 {
		t.Fatalf("%v, %q", err, logged)
	}
	if got := files(t, name); len(got) != 0 {
		t.Errorf("the state is restored, and there are %q", got)
	}
	f.close() // as after a crash
	if _, third, logged, err := useState(t, name); err != nil || logged != "" || len(third.people.all()) != 0 {
		t.Errorf("after a crash: %v, %q", err, logged)
	}
}

// What cannot be used is moved aside, with a warning that says why.
func TestUnusableStateIsMovedAside(t *testing.T) {
	c, _, _, _ := busy(t)
	whole := c.stopped()
	body := bytes.IndexByte(whole, '{')
	hubs := bytes.Index(whole, []byte("crier hub state"))
	changed := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 0x20
		return b
	}
	for name, test := range map[string]struct {
		state []byte
		why   string
	}{
		"empty":                        {nil, "damaged"},
		"only a beginning":             {whole[:10], "damaged"},
		"only a header":                {whole[:len(savedMagic)], "damaged"},
		"torn in the length":           {whole[:len(savedMagic)+3], "damaged"},
		"torn in the chat's part":      {whole[:body+100], "damaged"},
		"torn before the hub's part":   {whole[:hubs], "damaged"},
		"torn in the hub's part":       {whole[:len(whole)-1], "damaged"},
		"a longer length":              {changed(len(savedMagic) + 6), "damaged"},
		"an enormous length":           {changed(len(savedMagic)), "damaged"},
		"another checksum":             {changed(len(savedMagic) + 8), "damaged"},
		"changed in the chat's part":   {changed(body + 100), "damaged"},
		"changed in the hub's part":    {changed(len(whole) - 1), "damaged"},
		"something behind it":          {append(bytes.Clone(whole), 'x'), "damaged"},
		"a newer version":              {append([]byte(savedKind+"2\n"), whole[len(savedMagic):]...), "version"},
		"a newer version of the hub":   {bytes.Replace(whole, []byte("hub state, version 1"), []byte("hub state, version 9"), 1), "version"},
		"something else than messages": {append(sealed([]byte(`{"messages":[1]}`)), whole[hubs:]...), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "state")
			write(t, file, test.state)
			write(t, file+".bad", []byte("an earlier one"))
			_, s, logged, err := useState(t, file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(logged, "level=WARN") || !strings.Contains(logged, test.why) || !strings.Contains(logged, file+".bad") {
				t.Errorf("logged %q", logged)
			}
			if len(s.people.all()) != 0 || len(s.rooms.all()) != 0 || s.hub.Stats().Retained != 0 || len(s.presence.online()) != 0 {
				t.Error("something of it was restored")
			}
			if got, err := os.ReadFile(file + ".bad"); err != nil || !bytes.Equal(got, test.state) {
				t.Errorf("the state that was moved aside has changed: %v", err)
			}
			if got := files(t, file); !slices.Equal(got, []string{"state.bad"}) {
				t.Errorf("there are %q", got)
			}
		})
	}
}

// What is no state, or cannot be written, ends the program when it starts and not when
// it stops. Nothing of it is touched.
func TestWrongStateFiles(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "notes.txt")
	write(t, foreign, []byte("my notes\n"))
	long := filepath.Join(dir, "disk.img")
	write(t, long, bytes.Repeat([]byte("x"), 1<<20))
	for _, test := range []struct{ file, why string }{
		{foreign, "not a saved state"},
		{long, "not a saved state"},
		{dir, "not a regular file"},
		{os.DevNull, "not a regular file"},
		{filepath.Join(dir, "missing", "state"), "missing"},
		{filepath.Join(foreign, "state"), "notes.txt"},
	} {
		err := Run(t.Context(), Options{Addr: "127.0.0.1:0", KeyFile: filepath.Join(t.TempDir(), "key"), StateFile: test.file, Logger: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), test.why) || !strings.Contains(err.Error(), test.file) {
			t.Errorf("%s: %v; want an error that names the file, and says %q", test.file, err, test.why)
		}
		if _, err := os.Stat(os.DevNull + ".lock"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("there is a %s.lock", os.DevNull)
		}
	}
	if got, err := os.ReadFile(foreign); err != nil || string(got) != "my notes\n" {
		t.Errorf("the notes are now %q, %v", got, err)
	}
	if got := files(t, foreign); !slices.Equal(got, []string{"disk.img", "notes.txt"}) {
		t.Errorf("there are %q", got)
	}
}

// A file that appears while the chat runs is somebody's.
func TestStateFileIsNotOverwritten(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	f, s, _, err := useState(t, name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, []byte("mine"))
	if err := f.save(s.save); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("saved over a file: %v", err)
	}
	if got := files(t, name); !slices.Equal(got, []string{"state"}) {
		t.Errorf("there are %q", got)
	}
	os.Remove(name)
	failed := errors.New("the disk is full")
	if err := f.save(func(io.Writer) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("saved: %v", err)
	}
	if got := files(t, name); len(got) != 0 {
		t.Errorf("after a failure there are %q", got)
	}
}

// Of two processes with one key file, the first one has the state. The other takes
// nothing from it.
func TestStateFileOfAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	f, _, _, err := useState(t, key+".state")
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	second, err := Options{}.openState(key, log)
	if second != nil || err != nil || !strings.Contains(logged.String(), "level=WARN") || !strings.Contains(logged.String(), key+".state") {
		t.Errorf("by default: %v, %v, logged %q", second, err, logged.String())
	}
	if _, err := (Options{StateFile: key + ".state"}).openState(key, log); !errors.Is(err, errStateLocked) {
		t.Errorf("asked for: %v", err)
	}
	f.close()
	if second, err = (Options{}).openState(key, log); second == nil || err != nil {
		t.Errorf("when the first has ended: %v, %v", second, err)
	}
	second.close()
	logged.Reset()
	for name, o := range map[string]Options{"none": {StateFile: NoState}, "a backplane": {Backplane: backplanetest.NewMemory().Handle()}} {
		if f, err := o.openState(key, log); f != nil || err != nil || logged.Len() > 0 {
			t.Errorf("%s: %v, %v, %q", name, f, err, logged.String())
		}
	}
	err = Run(t.Context(), Options{Addr: "127.0.0.1:0", KeyFile: key, StateFile: filepath.Join(dir, "x"), Backplane: backplanetest.NewMemory().Handle(), Logger: log})
	if err == nil || !strings.Contains(err.Error(), "backplane") {
		t.Errorf("a state file and a backplane: %v", err)
	}
}
