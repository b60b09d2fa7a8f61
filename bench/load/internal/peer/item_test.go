package peer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/crier-go/crier/bench/internal/swarm"
)

func TestNewItem(t *testing.T) {
	for _, number := range []int64{swarm.Probe, 1, 9_999_999_999, 1_800_000_000_000_000_000} {
		for _, size := range []int{48, TypicalSize, 2048} {
			it := NewItem(number, size)
			if (len(it.Data) != size && (size >= TypicalSize || len(it.Data) > 64)) || !json.Valid(it.Data) {
				t.Errorf("item %d: %d bytes, valid JSON %t: %s", number, len(it.Data), json.Valid(it.Data), it.Data)
			}
			if bytes.Count(it.Data, []byte(swarm.Mark)) != 1 || !bytes.Contains(it.Data, fmt.Appendf(nil, "%s%010d\"", swarm.Mark, number)) {
				t.Errorf("item %d is not marked: %s", number, it.Data)
			}
			if len(it.ID) != 36 {
				t.Errorf("item %d: id %q is not in the form of a UUID", number, it.ID)
			}
		}
	}
}
