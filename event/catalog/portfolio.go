package catalog

import (
	"github.com/crier-go/crier/event"
	"github.com/google/uuid"
)

// What a user's accounts are worth.
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
	PreviousBalance string    `json:"previous_balance"` // decimal
	NewBalance      string    `json:"new_balance"`      // decimal
	Currency        string    `json:"currency"`         // ISO 4217, for instance "EUR"
}

// PortfolioHoldingsUpdatedPayload is the payload of "portfolio.holdings.updated".
type PortfolioHoldingsUpdatedPayload struct {
	AccountID     uuid.UUID `json:"account_id"`
	HoldingsCount int       `json:"holdings_count"` // holdings in the account now
}

// PortfolioNetWorthUpdatedPayload is the payload of "portfolio.networth.updated".
type PortfolioNetWorthUpdatedPayload struct {
	PreviousNetWorth string `json:"previous_net_worth"` // decimal
	NewNetWorth      string `json:"new_net_worth"`      // decimal
	Delta            string `json:"delta"`              // decimal: new less previous, with a minus if it fell
	Currency         string `json:"currency"`           // ISO 4217, for instance "EUR"
	AccountCount     int    `json:"account_count"`      // accounts that it is the sum of
}
