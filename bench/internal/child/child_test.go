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
		"adder":     func() (any, error) { return &adder{}, nil },
		"stillborn": func() (any, error) { return nil, errors.New("cannot be set up") },
	})
	os.Exit(m.Run())
}

// An adder is the receiver of the children of these tests.
type adder struct{ sum int }

func (a *adder) Add(n int, sum *int) error {
	if n < 0 {
		return errors.New("only upwards")
	}
	fmt.Println("a stray print does no harm")
	a.sum += n
	*sum = a.sum
	return nil
}

func (*adder) ReadFile(_ struct{}, text *string) error {
	b, err := io.ReadAll(os.NewFile(FirstFile, "given"))
	*text = string(b)
	return err
}

func (*adder) Hang(struct{}, *struct{}) error { select {} }

func (*adder) Die(struct{}, *struct{}) error {
	fmt.Fprintln(os.Stderr, "a last word")
	os.Exit(1)
	return nil
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
		if err := p.Call(patience, "Add", n, &sum); err != nil {
			t.Fatal(err)
		}
	}
	if sum != 6 {
		t.Errorf("the sum is %d, want 6", sum)
	}
	wantError(t, p.Call(patience, "Add", -1, nil), "only upwards")
	wantError(t, p.Call(patience, "Multiply", 2, nil), "can't find method")
	if err := p.Call(patience, "Add", 1, &sum); err != nil || sum != 7 {
		t.Errorf("after errors: %d, %v; want 7", sum, err)
	}
}

func TestChildInheritsFiles(t *testing.T) {
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
	if err := p.Call(patience, "ReadFile", nil, &got); err != nil || got != "for the child" {
		t.Errorf("the child read %q, %v", got, err)
	}
}

func TestChildThatEnds(t *testing.T) {
	p := startAdder(t)
	wantError(t, p.Call(patience, "Die", nil, nil), "a last word")
	p.Stop()
	p.Stop() // again
}

func TestChildThatHangs(t *testing.T) {
	p := startAdder(t)
	wantError(t, p.Call(10*time.Millisecond, "Hang", nil, nil), "did not answer")
	begun := time.Now()
	p.Stop()
	if took := time.Since(begun); took > patience {
		t.Errorf("Stop took %v", took)
	}
}

func TestChildThatCannotStart(t *testing.T) {
	for role, want := range map[string]string{"stillborn": "cannot be set up", "unheard of": "no role"} {
		p, err := Start(t.Context(), role)
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, p.Call(patience, "Add", 1, nil), want)
		p.Stop()
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v; want one with %q", err, want)
	}
}
