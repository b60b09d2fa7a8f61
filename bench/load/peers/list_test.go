package peers

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/crier-go/crier/bench/load/internal/peer"
)

// all has all peers, in the order of the tables. Each library is used as its documentation recommends. Where a default
// was changed, the peer's file says what and why. Checks of the Origin header and compression are off everywhere, and
// nobody authenticates.
var all = slices.Concat(peer.Crier, []peer.Peer{
	goSSE, r3labs, centrifugeDefault, centrifugeTuned, gwsBroadcaster, gorillaChat, gorillaPrepared, melodyPeer, coderPeer,
	ginEncoder, handWritten, rawFloor, bareHTTP, bareGorilla, wakeFloor, appendFloor,
})

func find(name string) (peer.Peer, error) {
	i := slices.IndexFunc(all, func(p peer.Peer) bool { return p.Name == name })
	if i < 0 {
		return peer.Peer{}, fmt.Errorf("unknown peer %q; the peers are %s", name, strings.Join(names(), ", "))
	}
	return all[i], nil
}

func names() (names []string) {
	for _, p := range all {
		names = append(names, p.Name)
	}
	return names
}

// userID returns the id of a user as an application has it: a UUID.
func userID(i int) string { return fmt.Sprintf("5f0c6a1e-3b5d-4b7e-8a00-%012x", i) }

func anyOrigin(*http.Request) bool { return true }

// A set has the clients of the peers that are written here.
type set[C comparable] struct {
	mu  sync.Mutex
	all map[C]struct{}
}

func (s *set[C]) add(c C) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[C]struct{})
	}
	s.all[c] = struct{}{}
}

func (s *set[C]) remove(c C) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, c)
}

func (s *set[C]) each(f func(C)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.all {
		f(c)
	}
}
