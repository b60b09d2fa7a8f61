package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// A page that shows an answer while it is generated is cut in the middle, again and
// again, and has the whole answer all the same. There is no script for that in the
// page: its EventSource resumes by itself.
func TestTokens(t *testing.T) {
	t.Parallel()
	p := startPage(t, "tokens")
	b := newPerson(t, "reader")
	b.open(p.front.URL)
	b.wait("is connected", `events.readyState === EventSource.OPEN`)
	b.click("button")
	next := 0
	for cut := range 3 {
		b.wait(fmt.Sprintf("has new tokens after %d cuts", cut), `next > %s`, next)
		next = eval[int](b, `next`)
		p.front.CloseClientConnections()
	}
	if next == 300 {
		t.Error("the answer was complete before the last cut")
	}
	b.wait("has the end of the answer", `document.querySelector('#state').textContent`)
	if state := eval[string](b, `state.textContent`); state != "complete" {
		t.Error(state)
	}
	var want strings.Builder
	for i := range 300 {
		fmt.Fprintf(&want, "word%d ", i)
	}
	if got := eval[string](b, `answer.textContent`); got != want.String() {
		t.Errorf("the page shows %q", got)
	}
}
