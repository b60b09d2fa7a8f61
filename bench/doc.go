// Package bench has no code of its own: it has the benchmarks of the library.
//
//	go test -bench . ./bench              everything; about five minutes
//	go test -short -bench . ./bench       without what needs gigabytes
//	go test -bench Fanout -count 10 ./bench >new.txt   for benchstat
//	go test ./bench                       what must not get worse, counted and not timed
//
// Every benchmark asserts that all events were delivered, and fails if one was
// lost. Some also measure the least that the task can be done with: way=channel is
// a channel for each reader, way=wake a shared list and a wake-up for each reader.
// Compare these within one run: absolute numbers depend on the machine and the
// hour, ratios carry over.
//
// Units: ns/delivery and allocs/delivery are of one event to one reader, including
// the server; ns/publish is how long the publisher waits; cpu-ns/delivery is the
// processor time of the server's process alone; B/conn is resident memory.
//
// The nested module bench/load compares Crier with other libraries, and finds out
// how many users a machine holds: make peers, make capacity.
package bench
