package bench

import (
	"os"
	"testing"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/rig"
	"github.com/crier-go/crier/bench/internal/swarm"
)

func TestMain(m *testing.M) {
	child.Main(map[string]child.Role{rig.RoleName: rig.Role, swarm.RoleName: swarm.Role})
	os.Exit(m.Run())
}
