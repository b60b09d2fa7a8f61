package catalog

import (
	"github.com/crier-go/crier/event"
	"github.com/google/uuid"
)

// The value of a user's accounts.
var (
	PortfolioBalanceUpdated = event.Define[PortfolioBalanceUpdatedPayload](&Registry, "portfolio", "portfolio.balance.updated",
		"The balance of an account changed.")

	PortfolioHoldingsUpdated = event.Define[PortfolioHoldingsUpdatedPayload](&Registry, "portfolio", "portfolio.holdings.updated",
		"The holdings of an account changed.")

	PortfolioNetWorthUpdated = event.Define[PortfolioNetWorthUpdatedPayload](&Registry, "portfolio", "portfolio.networth.updated",
		"What all accounts of the user are worth together changed.")
)

// PortfolioBalanceUpdatedPayload is the payload of "portfolio.balance.updated".
type PortfolioBalanceUpdatedPayload struct {
	AccountID       uuid.UUID `json:"account_id"`
	PreviousBalance string    `json:"previous_balance" doc:"A decimal number."`
	NewBalance      string    `json:"new_balance" doc:"A decimal number."`
	Currency        string    `json:"currency" doc:"A code of ISO 4217, for instance EUR."`
}

// PortfolioHoldingsUpdatedPayload is the payload of "portfolio.holdings.updated".
type PortfolioHoldingsUpdatedPayload struct {
	AccountID     uuid.UUID `json:"account_id"`
	HoldingsCount int       `json:"holdings_count" doc:"How many holdings the account has now."`
}

// PortfolioNetWorthUpdatedPayload is the payload of "portfolio.networth.updated".
type PortfolioNetWorthUpdatedPayload struct {
	PreviousNetWorth string `json:"previous_net_worth" doc:"A decimal number."`
	NewNetWorth      string `json:"new_net_worth" doc:"A decimal number."`
	Delta            string `json:"delta" doc:"A decimal number: new minus previous."`
	Currency         string `json:"currency" doc:"A code of ISO 4217, for instance EUR."`
	AccountCount     int    `json:"account_count" doc:"How many accounts it is the sum of."`
}
