// Package peers has no code of its own: it is a benchmark of Crier and what people use in its place, side by side on
// one machine. It measures what an event costs to encode, to deliver to sleeping readers, to send over Server-Sent
// Events and WebSocket, what arrives of a burst, and how much memory an idle connection takes.
//
//	go test -bench Peers ./peers                       everything, once
//	go test -bench 'Peers/ws-paced/(crier|gws)$' -count 10 ./peers >new.txt   for benchstat
//	make peers                                         in alternating rounds, with goals, as tables and a picture
//
// Each measurement has a new process with one peer, and a second one with its clients, which are the same for all. It
// needs Linux.
package peers
