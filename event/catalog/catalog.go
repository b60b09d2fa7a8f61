// Package catalog defines events for applications that link their users' accounts
// at banks and other providers. It has 29 types in 6 categories:
//
//	data_sync  sync.{accounts,transactions,holdings}.{started,completed,failed}
//	provider   provider.token.{expiring,refreshed,failed}, provider.disconnected
//	ai         ai.response.chunk, ai.tool.executing, ai.response.complete
//	import     import.{started,progress,completed,failed}
//	portfolio  portfolio.{balance,holdings,networth}.updated
//	security   security.session.{new,suspicious,expiring,revoked},
//	           security.password.changed, security.login.failed
//
// Each type has a variable of type [event.Kind] that is named after it, for
// instance [SyncAccountsStarted], and a payload struct, for instance
// [SyncAccountsStartedPayload]. No two types share a payload struct. So the payload
// of another type does not compile, and one payload can gain a field without the
// others.
//
// To use the catalog alone, make the hub with [Registry]. To add kinds, define them
// in a registry of your own and join the two:
//
//	registry, err := event.Join(&catalog.Registry, &mine)
//
// Amounts of money are decimal numbers in strings ("1234.50"), never floating
// point. Ids of connections, accounts and conversations are UUIDs. The id of a
// session is the string that the application uses. Every key is always present; an
// unknown value is an empty string.
//
// Three kinds are ephemeral, so they are not replayed to a client that reconnects:
// ai.response.chunk, ai.tool.executing and import.progress. Each is a step of work
// that ends with a replayed type: ai.response.complete, import.completed or
// import.failed. After that end, a replayed step would be out of date. Ephemeral
// events are also the most frequent: if they were retained, they would evict events
// that a client must not miss.
//
// The file contract.json records what clients rely on. A test fails if a change
// breaks it; see package schema.
package catalog

import "github.com/crier-go/crier/event"

//go:generate go test -run ^TestContractIsKept$ -update .

// Registry holds the catalog's 29 kinds. A hub that is made with it freezes it. Do
// not define kinds in it: join it with a registry of your own ([event.Join]).
var Registry event.Registry
