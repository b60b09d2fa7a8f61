package nats_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/crier-go/crier/backplane/nats"
	"github.com/crier-go/crier/hub"
)

// A process can start before its servers do. Until they are there, the backplane
// says so.
func Example() {
	nc, err := natsgo.Connect("nats://127.0.0.1:1", nats.ConnectOptions()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer nc.Close()
	backplane := nats.New(nc, &nats.Options{Stream: "chat", Replicas: 3})

	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err = backplane.Tail(ctx)
	fmt.Println("worth another try:", errors.Is(err, hub.ErrUnavailable))
	// Output: worth another try: true
}
