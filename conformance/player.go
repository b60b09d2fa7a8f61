package conformance

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A player does what a connection's script says.
type player struct {
	*server
	*attempt
	conn       net.Conn
	in         *bufio.Reader
	connection *Connection
	messages   chan []byte     // what the client says on a WebSocket
	ref        json.RawMessage // of the message that was received last
	pongs      chan string
	hungUp     chan struct{}
	stalled    bool // the client has to end it; guarded by mu
}

func (p *player) play(r *http.Request) error {
	c := p.connection
	switch {
	case c.Reset:
		p.reset()
		return nil
	case c.Status != 0:
		return p.answer(c)
	case p.transport == WebSocket:
		key := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		p.write([]byte(head(101, c.Headers, map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Accept": base64.StdEncoding.EncodeToString(key[:]),
		})))
	case c.Whole:
		p.write([]byte(head(200, c.Headers, map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "Connection": "close"})))
	default:
		p.write([]byte(head(200, c.Headers, map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "Transfer-Encoding": "chunked"})))
	}
	p.messages, p.pongs, p.hungUp = make(chan []byte, 100), make(chan string, 100), make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(p.read)
	defer reading.Wait()
	defer p.conn.Close()
	ended := false
	for _, step := range c.Steps {
		if err := p.step(&step); err != nil {
			return err
		}
		ended = ended || step.End != "" || step.Close != nil
		p.mu.Lock()
		p.steps++
		p.mu.Unlock()
	}
	if !ended {
		return p.end("fin")
	}
	return nil
}

// answer sends a response that is no stream.
func (p *player) answer(c *Connection) error {
	base := map[string]string{"Content-Type": "text/plain"}
	if c.Status != http.StatusNoContent {
		base["Content-Length"] = fmt.Sprint(len(c.Body))
	}
	base["Connection"] = "close"
	p.write([]byte(head(c.Status, c.Headers, base) + c.Body))
	p.conn.(*net.TCPConn).CloseWrite()
	p.conn.SetReadDeadline(time.Now().Add(time.Second))
	io.Copy(io.Discard, p.in) // so that the client reads to the end
	return nil
}

// patience is how long a client may take for what it must do.
const patience = 10 * time.Second

func (p *player) step(s *Step) error {
	switch {
	case s.Frame != nil && p.transport == SSE:
		return p.send(s.Frame.sse(), s.Pieces)
	case s.Frame != nil:
		return p.writeRaw(wsFrame(opText, s.Frame.message(p.ref)), s.Pieces)
	case s.Text != "" && p.transport == SSE:
		return p.send([]byte(s.Text), s.Pieces)
	case s.Text != "":
		return p.writeRaw(wsFrame(opText, []byte(s.Text)), s.Pieces)
	case s.Hex != "":
		b, err := hex.DecodeString(strings.ReplaceAll(s.Hex, " ", ""))
		if err != nil {
			return err
		}
		if p.transport == SSE {
			return p.send(b, s.Pieces)
		}
		return p.writeRaw(b, s.Pieces)
	case s.Pause > 0:
		select {
		case <-time.After(time.Duration(s.Pause) * time.Millisecond):
			return nil
		case <-p.hungUp:
			return fmt.Errorf("the client hung up in a pause of %d ms", s.Pause)
		}
	case s.Ping != "":
		if err := p.write(wsFrame(opPing, []byte(s.Ping))); err != nil {
			return err
		}
		select {
		case got := <-p.pongs:
			if got != s.Ping {
				return fmt.Errorf("a ping with %q was answered with %q", s.Ping, got)
			}
			return nil
		case <-time.After(patience):
			return errors.New("a ping was not answered")
		case <-p.hungUp:
			return errors.New("the client hung up instead of answering a ping")
		}
	case s.Reported > 0:
		return p.await(s.Reported)
	case s.Receive != nil:
		select {
		case got := <-p.messages:
			if !contains(got, s.Receive) {
				return fmt.Errorf("the client said %.200s", got)
			}
			p.ref = refOf(got)
			return nil
		case <-time.After(patience):
			return errors.New("the client said nothing")
		case <-p.hungUp:
			return errors.New("the client hung up instead of saying something")
		}
	case s.Do != nil:
		p.tell(*s.Do)
		return nil
	case s.Close != nil:
		code := []byte{byte(s.Close.Code >> 8), byte(s.Close.Code)}
		if err := p.write(wsFrame(opClose, append(code, s.Close.Reason...))); err != nil {
			return err
		}
		select {
		case <-p.hungUp:
		case <-time.After(time.Second):
		case <-p.ctx.Done():
		}
		return nil
	case s.End != "":
		return p.end(s.End)
	}
	return errors.New("the step says nothing")
}

// await waits until the client has made n reports.
func (p *player) await(n int) error {
	deadline := time.Now().Add(patience)
	wake := time.AfterFunc(patience, p.changed.Broadcast)
	defer wake.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.reported < n && p.ctx.Err() == nil {
		if time.Now().After(deadline) {
			return fmt.Errorf("the client has made %d of %d reports", p.reported, n)
		}
		p.changed.Wait()
	}
	return nil
}

// end ends the connection.
// refOf returns the member "ref" of a message.
func refOf(message []byte) json.RawMessage {
	var m struct{ Ref json.RawMessage }
	json.Unmarshal(message, &m) // what is no object has none
	return m.Ref
}

func (p *player) end(how string) error {
	switch how {
	case "fin":
		if p.transport == SSE && !p.connection.Whole {
			p.write([]byte("0\r\n\r\n"))
		}
		p.conn.Close()
	case "cut":
		p.conn.Close()
	case "rst":
		p.reset()
	case "stall":
		p.mu.Lock()
		p.stalled = true
		p.mu.Unlock()
		select {
		case <-p.hungUp:
		case <-p.ctx.Done():
		}
	}
	return nil
}

func (p *player) reset() {
	p.conn.(*net.TCPConn).SetLinger(0)
	p.conn.Close()
}

// send sends bytes of a body of Server-Sent Events, each piece in a chunk.
func (p *player) send(b []byte, pieces int) error {
	for piece := range slices.Chunk(b, pieceLen(b, pieces)) {
		if !p.connection.Whole {
			piece = fmt.Appendf(nil, "%x\r\n%s\r\n", len(piece), piece)
		}
		if err := p.write(piece); err != nil {
			return err
		}
		breathe(pieces)
	}
	return nil
}

// writeRaw writes bytes in pieces.
func (p *player) writeRaw(b []byte, pieces int) error {
	for piece := range slices.Chunk(b, pieceLen(b, pieces)) {
		if err := p.write(piece); err != nil {
			return err
		}
		breathe(pieces)
	}
	return nil
}

func pieceLen(b []byte, pieces int) int {
	if pieces > 0 {
		return pieces
	}
	return max(len(b), 1)
}

// breathe lets the client read a piece before the next one comes.
func breathe(pieces int) {
	if pieces > 0 {
		time.Sleep(time.Millisecond)
	}
}

func (p *player) write(b []byte) error {
	_, err := p.conn.Write(b)
	p.mu.Lock()
	if !p.stalled {
		p.last = time.Now()
	}
	p.mu.Unlock()
	if err != nil {
		return fmt.Errorf("the client hung up: %w", err)
	}
	return nil
}
