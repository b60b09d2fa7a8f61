package catalog

import (
	"github.com/crier-go/crier/event"
	"github.com/google/uuid"
)

// The synchronisation of a user's data with a provider. Each begins with started and
// ends with completed or failed.
var (
	SyncAccountsStarted = event.Define[SyncAccountsStartedPayload](&Registry, "data_sync", "sync.accounts.started",
		"The accounts of a connection began to be synchronised.")

	SyncAccountsCompleted = event.Define[SyncAccountsCompletedPayload](&Registry, "data_sync", "sync.accounts.completed",
		"The accounts of a connection have been synchronised.")

	SyncAccountsFailed = event.Define[SyncAccountsFailedPayload](&Registry, "data_sync", "sync.accounts.failed",
		"The accounts of a connection could not be synchronised.")

	SyncTransactionsStarted = event.Define[SyncTransactionsStartedPayload](&Registry, "data_sync", "sync.transactions.started",
		"The transactions of an account began to be synchronised.")

	SyncTransactionsCompleted = event.Define[SyncTransactionsCompletedPayload](&Registry, "data_sync", "sync.transactions.completed",
		"The transactions of an account have been synchronised.")

	SyncTransactionsFailed = event.Define[SyncTransactionsFailedPayload](&Registry, "data_sync", "sync.transactions.failed",
		"The transactions of an account could not be synchronised.")

	SyncHoldingsStarted = event.Define[SyncHoldingsStartedPayload](&Registry, "data_sync", "sync.holdings.started",
		"The holdings of an account began to be synchronised.")

	SyncHoldingsCompleted = event.Define[SyncHoldingsCompletedPayload](&Registry, "data_sync", "sync.holdings.completed",
		"The holdings of an account have been synchronised.")

	SyncHoldingsFailed = event.Define[SyncHoldingsFailedPayload](&Registry, "data_sync", "sync.holdings.failed",
		"The holdings of an account could not be synchronised.")
)

// SyncAccountsStartedPayload is the payload of "sync.accounts.started".
type SyncAccountsStartedPayload struct {
	ConnectionID uuid.UUID `json:"connection_id"`
}

// SyncAccountsCompletedPayload is the payload of "sync.accounts.completed".
type SyncAccountsCompletedPayload struct {
	ConnectionID uuid.UUID `json:"connection_id"`
	AccountCount int       `json:"account_count" doc:"How many accounts were synchronised."`
}

// SyncAccountsFailedPayload is the payload of "sync.accounts.failed".
type SyncAccountsFailedPayload struct {
	ConnectionID uuid.UUID `json:"connection_id"`
	Error        string    `json:"error" doc:"What went wrong, in words for the user."`
}

// SyncTransactionsStartedPayload is the payload of "sync.transactions.started".
type SyncTransactionsStartedPayload struct {
	ConnectionID uuid.UUID `json:"connection_id"`
	AccountID    uuid.UUID `json:"account_id"`
}

// SyncTransactionsCompletedPayload is the payload of "sync.transactions.completed".
type SyncTransactionsCompletedPayload struct {
	ConnectionID     uuid.UUID `json:"connection_id"`
	AccountID        uuid.UUID `json:"account_id"`
	TransactionCount int       `json:"transaction_count" doc:"How many transactions were synchronised."`
}

// SyncTransactionsFailedPayload is the payload of "sync.transactions.failed".
type SyncTransactionsFailedPayload struct {
	ConnectionID uuid.UUID `json:"connection_id"`
	AccountID    uuid.UUID `json:"account_id"`
	Error        string    `json:"error" doc:"What went wrong, in words for the user."`
}

// SyncHoldingsStartedPayload is the payload of "sync.holdings.started".
type SyncHoldingsStartedPayload struct {
	AccountID uuid.UUID `json:"account_id"`
}

// SyncHoldingsCompletedPayload is the payload of "sync.holdings.completed".
type SyncHoldingsCompletedPayload struct {
	AccountID    uuid.UUID `json:"account_id"`
	HoldingCount int       `json:"holding_count" doc:"How many holdings were synchronised."`
}

// SyncHoldingsFailedPayload is the payload of "sync.holdings.failed".
type SyncHoldingsFailedPayload struct {
	AccountID uuid.UUID `json:"account_id"`
	Error     string    `json:"error" doc:"What went wrong, in words for the user."`
}
