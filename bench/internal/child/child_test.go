package child

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Main(map[string]Role{
		"adder": func() (Commands, error) {
			sum := 0
			return Commands{
				"add": Command(func(n int) (any, error) {
					if n < 0 {
						return nil, errors.New("only upwards")
					}
					fmt.Println("what is printed does no harm")
					sum += n
					return sum, nil
				}),
				"read": Command(func(struct{}) (any, error) {
					b, err := io.ReadAll(os.NewFile(FirstFile, "given"))
					return string(b), err
				}),
				"hang": Command(func(struct{}) (any, error) { select {} }),
				"die":  Command(func(struct{}) (any, error) { fatal(errors.New("a last word")); return nil, nil }),
			}, nil
		},
		"stillborn": func() (Commands, error) { return nil, errors.New("cannot be set up") },
	})
	os.Exit(m.Run())
}

func startAdder(t *testing.T) *Process {
	t.Helper()
	p, err := Start(t.Context(), "adder")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

const patience = 10 * time.Second

func TestCall(t *testing.T) {
	p := startAdder(t)
	var sum int
	for _, n := range []int{1, 2, 3} {
		if err := p.Call(patience, "add", n, &sum); err != nil {
			t.Fatal(err)
		}
	}
	if sum != 6 {
		t.Errorf("the sum is %d, want 6", sum)
	}
	wantError(t, p.Call(patience, "add", -1, nil), "only upwards")
	wantError(t, p.Call(patience, "multiply", 2, nil), "no command")
	wantError(t, p.Call(patience, "add", "one", nil), "cannot unmarshal")
	if err := p.Call(patience, "add", 1, &sum); err != nil || sum != 7 {
		t.Errorf("after errors: %d, %v; want 7", sum, err)
	}
}

func TestFiles(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), "adder", r)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	r.Close()
	if _, err := w.WriteString("for the child"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	var got string
	if err := p.Call(patience, "read", nil, &got); err != nil || got != "for the child" {
		t.Errorf("the child read %q, %v", got, err)
	}
}

func TestChildThatEnds(t *testing.T) {
	p := startAdder(t)
	wantError(t, p.Call(patience, "die", nil, nil), "a last word")
	p.Stop()
	p.Stop() // again
}

func TestChildThatHangs(t *testing.T) {
	p := startAdder(t)
	wantError(t, p.Call(10*time.Millisecond, "hang", nil, nil), "did not answer")
	p.Stop() // returns: the child goes although its command never ends
}

func TestChildThatCannotStart(t *testing.T) {
	for role, want := range map[string]string{"stillborn": "cannot be set up", "unheard of": "no role"} {
		_, err := Start(t.Context(), role)
		wantError(t, err, want)
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v; want one with %q", err, want)
	}
}
