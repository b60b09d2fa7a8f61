package natsembedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"

	"github.com/crier-go/crier/backplane/nats"
	"github.com/crier-go/crier/backplane/nats/natsembedded"
	"github.com/crier-go/crier/hub"
)

// What was acknowledged is there when the process starts again. A hub does this
// by itself; here it is done by hand.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "events")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	for _, text := range []string{"hello", "again"} {
		server, err := natsembedded.Open(dir, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		backplane := nats.New(server.Conn(), nil)
		if _, err := backplane.Tail(ctx); err != nil {
			fmt.Println(err)
		}
		if err := backplane.Append(ctx, hub.Record{ID: uuid.New(), Data: []byte(text)}); err != nil {
			fmt.Println(err)
		}
		tail, err := backplane.Tail(ctx)
		if err != nil {
			fmt.Println(err)
		}
		errEnd := errors.New("that was all")
		err = backplane.Follow(ctx, 0, func(batch []hub.SequencedRecord) error {
			for _, r := range batch {
				fmt.Printf("%d %s\n", r.Position, r.Data)
				if r.Position == tail.Last {
					return errEnd
				}
			}
			return nil
		})
		fmt.Println(err)
		if err := server.Close(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// 1 hello
	// that was all
	// 1 hello
	// 2 again
	// that was all
}
