package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// A publisher publishes one event after the other, each at any process, and
// retries one whose outcome is unclear at another.
type publisher struct {
	ledger    *ledger
	processes []string
	users     []uuid.UUID
	rooms     []string
	pause     time.Duration // between two events, on average
	rand      *rand.Rand
}

// keepAlive is the publishers' client.
var keepAlive = &http.Client{Timeout: 2 * publishTime, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// run publishes until ctx ends. What has begun is then finished.
func (p *publisher) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if _, err := p.publish(p.random()); err != nil {
			return err
		}
		wait := time.NewTimer(time.Duration(p.rand.Int64N(int64(2*p.pause) + 1)))
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
		wait.Stop()
	}
	return nil
}

// random returns a publication: one in four is for everyone.
func (p *publisher) random() publication {
	pub := publication{ID: uuid.Must(uuid.NewV7())}
	switch p.rand.IntN(4) {
	case 0:
	case 1:
		pub.Room = p.rooms[p.rand.IntN(len(p.rooms))]
	case 2:
		pub.Users = []uuid.UUID{p.users[p.rand.IntN(len(p.users))]}
	case 3:
		for _, i := range p.rand.Perm(len(p.users))[:10] {
			pub.Users = append(pub.Users, p.users[i])
		}
	}
	return pub
}

// publish publishes until the engine has acknowledged.
func (p *publisher) publish(pub publication) (*entry, error) {
	e, err := p.ledger.begin(pub)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(e.publication)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); {
		addr := p.processes[p.rand.IntN(len(p.processes))]
		status, text, err := post(addr, body)
		p.ledger.attempted(e, err == nil && status == http.StatusNoContent)
		switch {
		case err == nil && status == http.StatusNoContent:
			return e, nil
		case err == nil && status != http.StatusServiceUnavailable:
			return nil, fmt.Errorf("publish: %d: %s", status, text)
		}
		time.Sleep(20*time.Millisecond + time.Duration(p.rand.Int64N(int64(100*time.Millisecond))))
	}
	return e, nil // the ledger knows that it was not acknowledged
}

func post(addr string, body []byte) (status int, text string, err error) {
	resp, err := keepAlive.Post("http://"+addr+"/publish", "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}
