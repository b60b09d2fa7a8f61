package dashtam_test

import (
	"github.com/crier-go/crier/backplane/redis/dashtam"
	"github.com/crier-go/crier/hub"
)

// A hub in memory is what a bridge publishes to.
var _ dashtam.Hub = (*hub.Hub)(nil)
