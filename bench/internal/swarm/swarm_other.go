//go:build !linux

package swarm

// newNetwork returns the quickest network of this system.
func newNetwork(s *Swarm) (network, error) { return newPortable(s) }
