// Package interleave compiles a copy of the hub in which every atomic operation
// and every lock is followed by a random yield. Schedules that a quiet machine
// makes once in a billion operations then happen all the time.
//
// The copy exists only while a test binary is compiled, by way of go test's
// -overlay: [Source] turns the imports of sync and sync/atomic into imports of
// package yield, which has the same types. Nothing generated is committed.
//
// Package stress has the tests that run on the copy. They use the public API of
// the hub, so they also compile against the hub as it is. Test TestInterleaved of
// package proof compiles and runs them; so does TestMutants.
package interleave
