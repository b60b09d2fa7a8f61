package catalog

import "github.com/crier-go/crier/event"

// The security of a user's access.
var (
	SecuritySessionNew = event.Define[SecuritySessionNewPayload](&Registry, "security", "security.session.new",
		"A session began, perhaps on another device.")

	SecuritySessionSuspicious = event.Define[SecuritySessionSuspiciousPayload](&Registry, "security", "security.session.suspicious",
		"A session does something unusual.")

	SecuritySessionExpiring = event.Define[SecuritySessionExpiringPayload](&Registry, "security", "security.session.expiring",
		"A session expires soon.")

	SecuritySessionRevoked = event.Define[SecuritySessionRevokedPayload](&Registry, "security", "security.session.revoked",
		"A session was ended before its time.")

	SecurityPasswordChanged = event.Define[SecurityPasswordChangedPayload](&Registry, "security", "security.password.changed",
		"The password was changed.")

	SecurityLoginFailed = event.Define[SecurityLoginFailedPayload](&Registry, "security", "security.login.failed",
		"Somebody failed to log in as the user.")
)

// SecuritySessionNewPayload is the payload of "security.session.new".
type SecuritySessionNewPayload struct {
	SessionID  string `json:"session_id"`
	DeviceInfo string `json:"device_info" doc:"For instance Firefox on Linux."`
	IPAddress  string `json:"ip_address"`
	Location   string `json:"location" doc:"For instance Lisbon, Portugal."`
}

// SecuritySessionSuspiciousPayload is the payload of "security.session.suspicious".
type SecuritySessionSuspiciousPayload struct {
	SessionID string `json:"session_id"`
	Reason    string `json:"reason"`
}

// SecuritySessionExpiringPayload is the payload of "security.session.expiring".
type SecuritySessionExpiringPayload struct {
	SessionID        string `json:"session_id"`
	ExpiresInSeconds int    `json:"expires_in_seconds" doc:"Counted from the time of the event."`
}

// SecuritySessionRevokedPayload is the payload of "security.session.revoked".
type SecuritySessionRevokedPayload struct {
	SessionID  string `json:"session_id"`
	DeviceInfo string `json:"device_info" doc:"For instance Firefox on Linux."`
	Reason     string `json:"reason"`
}

// SecurityPasswordChangedPayload is the payload of "security.password.changed".
type SecurityPasswordChangedPayload struct {
	InitiatedBy string `json:"initiated_by" doc:"For instance user or admin."`
}

// SecurityLoginFailedPayload is the payload of "security.login.failed".
type SecurityLoginFailedPayload struct {
	Reason string `json:"reason"`
}
