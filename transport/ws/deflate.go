package ws

import (
	"strings"
	"sync"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/internal/deflate"
	"github.com/crier-go/crier/transport/internal/netwrite"
)

// smallest is the size in bytes from which a message is compressed. Below, it saves
// hardly a tenth.
const smallest = 128

// deflated is encoding for connections that have agreed on permessage-deflate. A
// message that is small, or does not get smaller, is as in encoding. It is made when
// it is first needed, since the hub charges each message for every encoding that there
// is.
var deflated = sync.OnceValue(func() *hub.Encoding {
	return hub.NewEncoding(func(dst []byte, m *hub.Message) []byte {
		plain, packed := netwrite.Get(), netwrite.Get()
		defer netwrite.Put(plain)
		defer netwrite.Put(packed)
		plain.B = appendObject(plain.B[:0], idOf(m), string(m.Type()), m.Data())
		payload, opcode := plain.B, byte(opText)
		if len(plain.B) >= smallest {
			packed.B = deflate.Append(packed.B[:0], plain.B)
			if shorter := packed.B[:len(packed.B)-len(deflate.Tail)]; len(shorter) < len(plain.B) {
				payload, opcode = shorter, opText|rsv1Bit
			}
		}
		// dst has room for the message as it is, which would be kept as long.
		return append(appendHeader(dst[:len(dst):len(dst)], opcode, uint64(len(payload))), payload...)
	})
})

// offersDeflate reports whether Sec-WebSocket-Extensions headers have an offer of
// permessage-deflate that can be accepted as it is (RFC 7692, section 7.1): without
// context takeover, which every client must be able to do, and with a window of
// 32 KiB.
func offersDeflate(headers []string) bool {
	for offer := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, params, _ := strings.Cut(offer, ";")
		if strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") && acceptable(params) {
			return true
		}
	}
	return false
}

// agreed is the answer to such an offer.
const agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

// acceptable reports whether the parameters of an offer can be met.
func acceptable(params string) bool {
	if strings.TrimSpace(params) == "" {
		return true
	}
	seen := map[string]bool{}
	for param := range strings.SplitSeq(params, ";") {
		name, value, hasValue := strings.Cut(strings.TrimSpace(param), "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.Trim(value, " \t\"")
		if seen[name] {
			return false
		}
		seen[name] = true
		switch name {
		case "server_no_context_takeover", "client_no_context_takeover":
			if hasValue {
				return false
			}
		case "client_max_window_bits": // says what the client could do; nothing is asked of it
			if hasValue && !validBits(value) {
				return false
			}
		case "server_max_window_bits":
			if value != "15" {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// validBits reports whether a value is a window's size, 8 to 15.
func validBits(value string) bool {
	return len(value) == 1 && value >= "8" && value <= "9" || len(value) == 2 && value >= "10" && value <= "15"
}
