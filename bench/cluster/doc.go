// Package cluster measures what a backplane costs the processes that follow it:
// the application of one record, the start with records that are retained, and
// how that grows with the number of processes. Its module is nested because it
// needs the engines' clients.
//
//	cd bench/cluster && go test -run '^$' -bench .
//
// What an engine's client library costs beside the hub, and how fast it appends,
// is measured by the benchmarks of each backplane.
package cluster
