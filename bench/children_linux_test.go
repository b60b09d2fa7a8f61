package bench

import (
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/swarm"
)

// The roles in which the test binary starts itself again.
const (
	serverRole  = "server"
	clientsRole = "clients"
	stormRole   = "storm"
	drainRole   = "drain"
)

func TestMain(m *testing.M) {
	child.Main(map[string]child.Role{
		serverRole: func() (any, error) {
			s, err := startServer()
			return &serverProcess{s}, err
		},
		clientsRole: func() (any, error) {
			debug.SetGCPercent(400) // it allocates next to nothing once it is connected
			return &clientsProcess{}, nil
		},
		stormRole: func() (any, error) { return &stormProcess{}, nil },
		drainRole: func() (any, error) { return &drainProcess{}, nil },
	})
	os.Exit(m.Run())
}

// A serverProcess is a server in a process of its own.
type serverProcess struct{ server *server }

func (s *serverProcess) Addr(_ struct{}, addr *string) error {
	*addr = s.server.addr
	return nil
}

func (s *serverProcess) Broadcast(struct{}, *struct{}) error { return s.server.broadcast() }

// A Use is what memory is used for, in bytes.
type Use struct{ Resident, Heap, Stacks uint64 }

// Memory returns what the process holds once garbage is gone.
func (*serverProcess) Memory(_ struct{}, u *Use) error {
	machine.Settle()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	*u = Use{Resident: m.Sys - m.HeapReleased, Heap: m.HeapInuse, Stacks: m.StackInuse}
	if kb, err := procField("/proc/self/status", "VmRSS:"); err == nil {
		u.Resident = kb << 10
	}
	return nil
}

// A clientsProcess is a swarm in a process of its own.
type clientsProcess struct {
	board swarm.Board
	swarm *swarm.Swarm
}

func (c *clientsProcess) Target(t swarm.Target, _ *struct{}) (err error) {
	c.swarm, err = swarm.New(t, &c.board, nil)
	return err
}

func (c *clientsProcess) Connect(total int, _ *struct{}) error {
	return c.swarm.Connect(total, patience)
}

func (c *clientsProcess) Await(delivered int64, _ *struct{}) error {
	return c.swarm.Await(delivered, patience)
}

// Check fails if any connection was closed or any event came twice or out of
// order, or if the number of deliveries is another.
func (c *clientsProcess) Check(delivered int64, _ *struct{}) error {
	if c.board.Delivered.Load() != delivered || c.board.Disorder.Load() > 0 || c.board.Closed.Load() > 0 {
		return errors.New("the clients count other deliveries than there were")
	}
	return nil
}

// clients are a swarm in a process of its own, seen from the benchmark.
type clients struct{ *child.Process }

func startClients(b *testing.B, addr, transport string) clients {
	b.Helper()
	c := clients{startChild(b, clientsRole)}
	c.call(b, "Target", swarm.Target{Addrs: []string{addr}, Request: request(transport, "{user}")}, nil)
	return c
}

func (c clients) call(b *testing.B, method string, args, reply any) {
	b.Helper()
	if err := c.Call(patience+5*time.Second, method, args, reply); err != nil {
		b.Fatal(err)
	}
}

func startChild(b *testing.B, role string) *child.Process {
	b.Helper()
	p, err := child.Start(b.Context(), role)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Stop)
	return p
}
