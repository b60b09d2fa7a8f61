package peer

import (
	"bytes"
	"fmt"

	"github.com/crier-go/crier/bench/internal/swarm"
)

// An Item is one event as the publisher hands it to a peer. No two items share memory, because some peers keep it.
type Item struct {
	Number int64
	ID     string // in the form of a UUID, distinct for each event
	Data   []byte // JSON that contains swarm.Mark and the number
	Made   any    // the peer's own form of the event; see Target.Prepare
}

// TypicalSize is the size of a typical event's data in bytes.
const TypicalSize = 150

// EventName is the type of every event, where a peer's wire format has one.
const EventName = "portfolio.balance.updated"

// NewItem returns an event with size bytes of data, or a few more if size is too little for the number.
func NewItem(number int64, size int) Item {
	digits := fmt.Sprintf("%010d", number)
	it := Item{Number: number, ID: "0190b6a0-7c1f-7d3a-9c55-00" + digits[len(digits)-10:]}
	data := make([]byte, 0, max(size, 64))
	data = append(data, `{"seq":"`+swarm.Mark+digits...)
	if size >= TypicalSize {
		data = append(data, `","id":"`+it.ID+`","account":"7d3a9c55","currency":"EUR","balance":"1204.50`...)
	}
	data = append(data, `","note":"`...)
	data = append(data, bytes.Repeat([]byte{'x'}, max(0, size-2-len(data)))...)
	it.Data = append(data, `"}`...)
	return it
}
