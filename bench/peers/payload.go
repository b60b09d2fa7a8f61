package main

import (
	"fmt"
	"strconv"
)

// Every payload is JSON of exactly this many bytes, the size of a typical "something happened" event.
const payloadSize = 150

// A marker is what the client looks for in the bytes that it receives: two bytes that occur nowhere else in the
// traffic, and the event's sequence number. It survives every peer's encoding, because no JSON encoder escapes it.
const (
	markerStart  = '~'
	markerSecond = '#'
	markerDigits = 10
	markerSize   = 2 + markerDigits
)

// Sequence number 0 is a probe: it shows that a connection is subscribed, and counts for nothing else.
const probeSeq = 0

// An item is one event as the publisher hands it to a peer. The slices belong to the peer: every event has its own,
// because some peers keep them.
type item struct {
	seq  uint64
	id   string // shaped like a UUID, distinct for each event
	data []byte // payloadSize bytes of JSON, with the marker inside
	made any    // the peer's own form of it, where the peer has one; see target.prepare
}

// eventName is the type that every event carries where a peer's wire format has a place for one.
const eventName = "portfolio.balance.updated"

func newItem(seq uint64) item {
	digits := fmt.Sprintf("%0*d", markerDigits, seq)
	id := "0190b6a0-7c1f-7d3a-9c55-00" + digits
	data := make([]byte, 0, payloadSize)
	data = append(data, `{"id":"`...)
	data = append(data, id...)
	data = append(data, `","seq":"~#`...)
	data = append(data, digits...)
	data = append(data, `","account":"7d3a9c55","currency":"EUR","balance":"1204.`...)
	data = strconv.AppendUint(data, 10+seq%90, 10)
	data = append(data, `","note":"`...)
	for len(data) < payloadSize-2 {
		data = append(data, 'x')
	}
	return item{seq: seq, id: id, data: append(data, `"}`...)}
}
