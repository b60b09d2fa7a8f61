// Package proof holds the tests that try Crier as a whole: random schedules
// through real handlers, real sockets, other people's proxies, hostile clients,
// and hubs that are broken on purpose to see that the other tests notice.
//
// Most of them have a bounded form, which `make test` runs, and a long one,
// `make soak`.
package proof
