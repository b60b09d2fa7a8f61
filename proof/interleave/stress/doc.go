// Package stress holds the tests that run on a hub with yields, see package
// interleave. They know only the public API of the hub.
//
// A test plays rounds, each with a hub of its own in a bubble of testing/synctest.
// A round has phases. In a phase, publishers, readers and others work at the same
// time. Then nobody publishes, and the round waits by the bubble's clock until
// everybody has come to rest. What a reader lacks then, it lacks for ever: nothing
// that comes later makes up for a wake-up that was lost.
package stress
