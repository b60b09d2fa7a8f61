package conformance

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"reflect"
)

// read reads what the client says until it hangs up.
func (p *player) read() {
	defer close(p.hungUp)
	if p.transport == SSE {
		io.Copy(io.Discard, p.in) // it has nothing to say
		return
	}
	for {
		opcode, payload, err := p.readFrame()
		if err != nil {
			return
		}
		switch opcode {
		case opText:
			p.messages <- payload
		case opPong:
			p.pongs <- string(payload)
		case opPing:
			p.write(wsFrame(opPong, payload))
		case opClose:
			p.write(wsFrame(opClose, payload)) // a second one does no harm
			p.conn.Close()
			return
		}
	}
}

// readFrame reads a masked frame. Clients do not fragment messages this short.
func (p *player) readFrame() (opcode byte, payload []byte, err error) {
	var header [2]byte
	if _, err := io.ReadFull(p.in, header[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(header[1] & 0x7f)
	var long [8]byte
	switch n {
	case 126:
		_, err = io.ReadFull(p.in, long[6:])
		n = binary.BigEndian.Uint64(long[:])
	case 127:
		_, err = io.ReadFull(p.in, long[:])
		n = binary.BigEndian.Uint64(long[:])
	}
	if err != nil {
		return 0, nil, err
	}
	if masked := header[1]&0x80 != 0; !masked || n > 1<<20 {
		p.fault("the client sent a frame that is not masked, or of %d bytes", n)
		return 0, nil, io.ErrUnexpectedEOF
	}
	var mask [4]byte
	payload = make([]byte, n)
	if _, err := io.ReadFull(p.in, mask[:]); err != nil {
		return 0, nil, err
	}
	if _, err := io.ReadFull(p.in, payload); err != nil {
		return 0, nil, err
	}
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return header[0] & 0xf, payload, nil
}

// contains reports whether a JSON object has these members.
func contains(object []byte, members map[string]any) bool {
	var got map[string]any
	if json.Unmarshal(object, &got) != nil {
		return false
	}
	for name, want := range members {
		if !reflect.DeepEqual(got[name], want) {
			return false
		}
	}
	return true
}
