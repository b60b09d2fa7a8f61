package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/hubtest"
)

type order struct {
	Item string `json:"item"`
}

var (
	registry event.Registry
	placed   = event.Define[order](&registry, "orders", "order.placed", "An order was placed.")
)

func openHub(t testing.TB, b *postgres.Backplane) *hub.Hub {
	t.Helper()
	h, err := hub.Open(ctx, &registry, &hub.Options{Backplane: b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Shutdown(context.Background()) })
	return h
}

// Hubs of two processes, and a third process that publishes without a hub.
func TestHubs(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	one := openHub(t, newBackplane(t, s.URL(database), nil))
	two := openHub(t, newBackplane(t, s.URL(database), nil))
	worker := newBackplane(t, s.URL(database), nil)

	users := make([]uuid.UUID, 300)
	for i := range users {
		users[i] = uuid.New()
	}
	clients := []*hubtest.Client{hubtest.Subscribe(t, one, users[0]), hubtest.Subscribe(t, two, users[299])}
	conn := s.Connect(t, database)
	publish := func(text string, fail error) {
		t.Helper()
		e, err := placed.New(users[0], order{text})
		if err != nil {
			t.Fatal(err)
		}
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			return errors.Join(worker.PublishTx(ctx, tx, e, hub.Users(users...)...), fail)
		})
		if !errors.Is(err, fail) {
			t.Fatal(err)
		}
	}
	publish("tea", nil)
	publish("cancelled", errors.New("cancelled"))
	publish("milk", nil)
	e, err := placed.New(users[0], order{"by a hub"})
	if err != nil {
		t.Fatal(err)
	}
	if err := two.PublishTo(ctx, e, hub.Users(users[0], users[299])...); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		for i, m := range c.Received(3) {
			if got, want := string(m.Data()), fmt.Sprintf(`{"item":%q}`, []string{"tea", "milk", "by a hub"}[i]); got != want {
				t.Errorf("message %d is %s, want %s", i, got, want)
			}
		}
	}
	if err := worker.PublishTx(ctx, conn, e, hub.Audience{}); !errors.Is(err, hub.ErrNoUser) {
		t.Errorf("PublishTx to nobody returned %v", err)
	}
}
