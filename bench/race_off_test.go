//go:build !race

package bench

// raceDetector reports whether it is on.
const raceDetector = false
