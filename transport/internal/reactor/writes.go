package reactor

import "sync"

// A Write is an attempt to write P to a connection, as Conn.TryWrite makes it. N and
// Err are what came of it.
type Write struct {
	Conn Conn
	P    []byte
	N    int
	Err  error
}

// A Ring makes many attempts to write with one system call. It is not safe for
// concurrent use.
type Ring struct{ ring }

// Do makes attempts to write. A nil Ring makes them one after the other.
func (r *Ring) Do(writes []Write) {
	if r != nil && len(writes) > 1 { // for one, write(2) is a cheaper call
		r.do(writes)
		return
	}
	for i := range writes {
		writes[i].try()
	}
}

func (w *Write) try() { w.N, w.Err = w.Conn.TryWrite(w.P) }

// rings are those that nobody uses. A ring takes some 20 KB and a descriptor. There
// are never more than were in use at the same time.
var rings struct {
	sync.Mutex
	free []*Ring
}

// GetRing returns a ring, or why there is none: the kernel has no io_uring, or it is
// forbidden, as in many containers.
func GetRing() (*Ring, error) {
	rings.Lock()
	defer rings.Unlock()
	if last := len(rings.free) - 1; last >= 0 {
		r := rings.free[last]
		rings.free = rings.free[:last]
		return r, nil
	}
	r := new(Ring)
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

// PutRing returns a ring that is no longer used.
func PutRing(r *Ring) {
	rings.Lock()
	defer rings.Unlock()
	rings.free = append(rings.free, r)
}
