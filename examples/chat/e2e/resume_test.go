package e2e

import (
	"fmt"
	"testing"
	"time"
)

// bothTransports runs a test for each transport, at the same time.
func bothTransports(t *testing.T, f func(t *testing.T, transport string)) {
	for _, transport := range []string{"sse", "ws"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			f(t, transport)
		})
	}
}

func TestPulledPlug(t *testing.T) {
	t.Parallel()
	bothTransports(t, func(t *testing.T, transport string) {
		c := startChat(t)
		ada, grace := c.script("Ada"), c.enter("Grace")
		grace.use(transport)
		said := texts("message", 1, 9)
		var ids []string
		say := func(texts []string) {
			for _, text := range texts {
				ids = append(ids, ada.post("", text))
			}
		}
		say(said[:2])
		grace.sees(said[:2]...)

		grace.click(`[data-testid=plug]`)
		grace.state("cut")
		say(said[2:7])
		grace.sees(said[:2]...)
		if transport == "sse" {
			grace.online() // comes back by itself
		} else {
			grace.click(`[data-testid=plug]`) // or is plugged in again
			grace.online()
		}
		grace.sees(said[:7]...)
		if n := grace.replayed(); n != 5 {
			t.Errorf("the status line says that %d messages were replayed; 5 were missed", n)
		}
		grace.wait("says how many were replayed", `document.querySelector('[data-testid=status-replayed]').textContent.includes('5 messages')`)
		say(said[7:])
		grace.sees(said...)
		grace.heardOnce(ids)
		grace.noGap()
	})
}

func TestBrokenLine(t *testing.T) {
	t.Parallel()
	bothTransports(t, func(t *testing.T, transport string) {
		c := startChat(t)
		line := newLine(t, c.addr)
		ada, grace := c.script("Ada"), enter(t, line.url(), "Grace")
		grace.use(transport)
		var ids []string
		for _, text := range texts("before", 1, 3) {
			ids = append(ids, ada.post("", text))
		}
		grace.sees(texts("before", 1, 3)...)

		line.cut()
		grace.state("retrying")
		for _, text := range texts("meanwhile", 1, 30) {
			ids = append(ids, ada.post("", text))
		}
		line.mend()
		grace.online()
		ids = append(ids, ada.post("", "after"))
		all := append(append(texts("before", 1, 3), texts("meanwhile", 1, 30)...), "after")
		grace.sees(all...)
		grace.heardOnce(ids)
		grace.noGap()
	})
}

func TestSwitchOfTransport(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada, grace := c.script("Ada"), c.enter("Grace")

	// Ada talks without a pause while Grace changes the transport to and fro. Not
	// faster: on a machine that is busy with other things, the page must keep up.
	var ids []string
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := 1; ; i++ {
			id, err := ada.tryPost("", fmt.Sprintf("message %d", i))
			if err != nil {
				stopped <- err
				return
			}
			ids = append(ids, id)
			select {
			case <-stop:
				stopped <- nil
				return
			case <-tick.C:
			}
		}
	}()
	for range 5 {
		for _, transport := range []string{"ws", "sse"} {
			grace.use(transport)
			n := len(grace.heard())
			grace.wait("hears something over "+transport, `heard.filter((f) => f.event.startsWith('chat.')).length > %s && heard.at(-1).via === %s`, n, transport)
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	grace.wait("has the last message", `heard.at(-1).id === %s`, ids[len(ids)-1])
	grace.heardOnce(ids)
	grace.noGap()
	t.Logf("%d messages", len(ids))
}
