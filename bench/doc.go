// Package bench has no code of its own: it measures the others.
//
//	go test -bench . ./bench              everything; about five minutes
//	go test -short -bench . ./bench       without what needs gigabytes
//	go test -bench Fanout -count 10 ./bench >new.txt   for benchstat
//	go test ./bench                       what must not get worse, counted and not timed
//
// Every benchmark asserts that all it published was delivered; one that lost an
// event fails. Where something is measured beside the least that the task can
// be done with, that is in the same benchmark, as way=channel (a channel for
// each reader) and way=wake (a shared list, and a wake-up for each reader):
// absolute numbers belong to a machine and an hour, the ratios carry over.
//
// Units: ns/delivery and allocs/delivery are of one event to one reader, server
// and all; ns/publish is what the publisher waits; cpu-ns/delivery is the
// processor time of the server's process alone; B/conn is resident memory.
//
// The program in bench/load compares Crier with other libraries, and finds out
// how many users a machine holds: make peers, make capacity.
package bench
