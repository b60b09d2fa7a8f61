// Package load is the root of a module with all that puts load on Crier: the
// benchmark peers, which compares it with other libraries, and the program
// capacity, which finds out how many users a machine holds. The module has its
// own requirements, so that no user of Crier has them.
package load

import _ "embed"

// GoMod is this module's go.mod, which names the versions of the peers.
//
//go:embed go.mod
var GoMod string
