package backplanetest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/backplanetest"
)

// Two processes share a sequence. The acknowledgement of the second record is
// lost, so its Append is repeated.
func ExampleMemory() {
	ctx := context.Background()
	memory := backplanetest.NewMemory()
	one, two := memory.Handle(), memory.Handle()

	lose := true
	one.SetFaults(backplanetest.Faults{Append: func(r hub.Record) backplanetest.AppendFault {
		return backplanetest.AppendFault{Unacknowledged: lose && string(r.Data) == "second"}
	}})
	for _, text := range []string{"first", "second", "third"} {
		r := hub.Record{ID: uuid.New(), Data: []byte(text)}
		err := one.Append(ctx, r)
		if errors.Is(err, hub.ErrUnavailable) {
			fmt.Println(err)
			lose = false
			err = one.Append(ctx, r)
		}
		if err != nil {
			fmt.Println(err)
		}
	}

	errEnough := errors.New("enough")
	err := two.Follow(ctx, 0, func(batch []hub.SequencedRecord) error {
		for _, r := range batch {
			fmt.Println(r.Position, string(r.Data))
		}
		return errEnough
	})
	fmt.Println(err)
	// Output:
	// hub: the backplane is unavailable: the connection broke
	// 1 first
	// 2 second
	// 3 second
	// 4 third
	// enough
}
