//go:build unix

package machine

import "testing"

func TestMachine(t *testing.T) {
	begun := CPU()
	Settle()
	if CPU() <= begun {
		t.Errorf("CPU was %v and is %v after two collections", begun, CPU())
	}
	if n := Files(); n < 3 {
		t.Errorf("%d files may be open", n)
	}
}
