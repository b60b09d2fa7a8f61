package catalog

import (
	"github.com/crier-go/crier/event"
	"github.com/google/uuid"
)

// The health of the connection to a provider.
var (
	ProviderTokenExpiring = event.Define[ProviderTokenExpiringPayload](&Registry, "provider", "provider.token.expiring",
		"The provider's access token expires soon.")

	ProviderTokenRefreshed = event.Define[ProviderTokenRefreshedPayload](&Registry, "provider", "provider.token.refreshed",
		"The provider's access token has been renewed.")

	ProviderTokenFailed = event.Define[ProviderTokenFailedPayload](&Registry, "provider", "provider.token.failed",
		"The provider's access token could not be renewed.")

	ProviderDisconnected = event.Define[ProviderDisconnectedPayload](&Registry, "provider", "provider.disconnected",
		"The connection to the provider has ended.")
)

// ProviderTokenExpiringPayload is the payload of "provider.token.expiring".
type ProviderTokenExpiringPayload struct {
	ConnectionID     uuid.UUID `json:"connection_id"`
	ProviderSlug     string    `json:"provider_slug" doc:"For instance acme_bank."`
	ExpiresInSeconds int       `json:"expires_in_seconds" doc:"Counted from the time of the event."`
}

// ProviderTokenRefreshedPayload is the payload of "provider.token.refreshed".
type ProviderTokenRefreshedPayload struct {
	ConnectionID uuid.UUID `json:"connection_id"`
	ProviderSlug string    `json:"provider_slug" doc:"For instance acme_bank."`
}

// ProviderTokenFailedPayload is the payload of "provider.token.failed".
type ProviderTokenFailedPayload struct {
	ConnectionID uuid.UUID `json:"connection_id"`
	ProviderSlug string    `json:"provider_slug" doc:"For instance acme_bank."`
	NeedsReauth  bool      `json:"needs_reauth" doc:"Whether the user has to link the provider again."`
}

// ProviderDisconnectedPayload is the payload of "provider.disconnected".
type ProviderDisconnectedPayload struct {
	ConnectionID uuid.UUID `json:"connection_id"`
	ProviderSlug string    `json:"provider_slug" doc:"For instance acme_bank."`
}
