// Package catalog is a ready vocabulary of events for applications that link
// their users' accounts at banks and other providers: 29 types in 6 categories.
//
//	data_sync  sync.{accounts,transactions,holdings}.{started,completed,failed}
//	provider   provider.token.{expiring,refreshed,failed}, provider.disconnected
//	ai         ai.response.chunk, ai.tool.executing, ai.response.complete
//	import     import.{started,progress,completed,failed}
//	portfolio  portfolio.{balance,holdings,networth}.updated
//	security   security.session.{new,suspicious,expiring,revoked},
//	           security.password.changed, security.login.failed
//
// Each type has a variable of type [event.Kind], named after it, and a payload
// struct of the same name with the suffix Payload, which no other type shares:
// the payload of another type does not compile, and one can gain a field without
// the others.
//
// An application uses the catalog as it is, by making its hub with [Registry],
// or adds kinds of its own in a registry of its own and joins the two:
//
//	registry, err := event.Join(&catalog.Registry, &mine)
//
// In the payloads, amounts of money are decimal numbers as strings ("1234.50"),
// never floating point; ids of connections, accounts and conversations are
// UUIDs, and the id of a session is whatever string the application uses for it.
// Every key is always there; what is not known is an empty string.
//
// Three kinds are ephemeral, which means that they are not replayed to a client
// that comes back: ai.response.chunk, ai.tool.executing and import.progress. Each
// tells of a moment that the type concluding it (ai.response.complete,
// import.completed, import.failed), which is replayed, makes obsolete; replayed
// later they would tell of work under way that is long done. They are also the
// many: retained, they would push out what a client must not miss.
package catalog

import "github.com/crier-go/crier/event"

//go:generate go test -run ^TestContractIsKept$ -update .

// Registry holds the catalog's 29 kinds. A hub that is made with it freezes it;
// join it with a registry of your own ([event.Join]) rather than define in it.
var Registry event.Registry
