package redis_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis"
	"github.com/crier-go/crier/backplane/redis/internal/redistest"
	"github.com/crier-go/crier/hub"
)

// What a hub does with a backplane: it asks where the stream ends, follows it
// from its beginning, and appends what is published.
func Example() {
	t := new(redistest.Example)
	defer t.End()
	server := redistest.Start(t)

	client := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	defer client.Close()
	backplane := redis.New(client, nil)

	ctx := context.Background()
	tail, err := backplane.Tail(ctx) // creates the stream
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("first", tail.First, "last", tail.Last)

	for _, text := range []string{"hello", "world"} {
		if err := backplane.Append(ctx, hub.Record{ID: uuid.New(), Data: []byte(text)}); err != nil {
			fmt.Println(err)
			return
		}
	}
	enough := errors.New("enough")
	err = backplane.Follow(ctx, tail.First-1, func(batch []hub.SequencedRecord) error {
		for _, r := range batch {
			fmt.Printf("%d %s\n", r.Position, r.Data)
			if r.Position == 2 {
				return enough
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// first 1 last 0
	// 1 hello
	// 2 world
	// enough
}
