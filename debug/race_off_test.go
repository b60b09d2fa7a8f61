//go:build !race

package debug_test

// race reports whether the race detector is on, which makes everything some ten times
// slower.
const race = false
