package ws

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/crier-go/crier/transport"
)

// checkHandshake reports whether a GET request is a WebSocket handshake (RFC
// 6455, section 4.2.1), before anybody is subscribed for it. If it is not, the
// request has been answered.
func checkHandshake(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.ProtoMajor != 1:
		// Over HTTP/2 there are no Upgrade fields (RFC 9113, section 8.2.2), and
		// so no 426 either.
		transport.WriteError(w, http.StatusBadRequest, "WebSocket is served over HTTP/1.1 here")
	case !r.ProtoAtLeast(1, 1), // an Upgrade in HTTP/1.0 is ignored (RFC 9110, section 7.8)
		!hasToken(r.Header, "Connection", "upgrade"), !hasToken(r.Header, "Upgrade", "websocket"):
		upgradeRequired(w, "this is a WebSocket: connect with Upgrade: websocket over HTTP/1.1")
	case !slices.Equal(r.Header.Values("Sec-WebSocket-Version"), []string{"13"}):
		w.Header().Set("Sec-WebSocket-Version", "13") // RFC 6455, section 4.4
		upgradeRequired(w, "only version 13 of WebSocket is spoken here")
	case !validKey(r.Header.Values("Sec-WebSocket-Key")):
		transport.WriteError(w, http.StatusBadRequest, "the handshake needs one Sec-WebSocket-Key of 16 bytes in base64")
	case r.ContentLength != 0:
		transport.WriteError(w, http.StatusBadRequest, "a handshake has no body")
	default:
		return true
	}
	return false
}

// upgradeRequired answers 426, which names the protocol to upgrade to and says
// that this is about the connection (RFC 9110, sections 7.8 and 15.5.22).
func upgradeRequired(w http.ResponseWriter, message string) {
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Connection", "Upgrade")
	transport.WriteError(w, http.StatusUpgradeRequired, message)
}

// hasToken reports whether a header that is a list has a token, in any case.
// Empty elements are ignored (RFC 9110, section 5.6.1.2).
func hasToken(h http.Header, name, token string) bool {
	for _, v := range h.Values(name) {
		for element := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.Trim(element, " \t"), token) {
				return true
			}
		}
	}
	return false
}

func validKey(values []string) bool {
	if len(values) != 1 {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(values[0])
	return err == nil && len(key) == 16
}
