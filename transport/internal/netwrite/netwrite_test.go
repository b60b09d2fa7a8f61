package netwrite

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/internal/memnet"
)

const timeout = 10 * time.Second

func newWriter(t *testing.T, c net.Conn) *Writer {
	w := New(c, timeout)
	t.Cleanup(w.Stop)
	return &w
}

var large = bytes.Repeat([]byte("0123456789abcdef"), 20<<10) // 320 KiB

// A write that makes no progress fails in time.
func TestWriteFailsWhenStalled(t *testing.T) {
	for name, accepted := range map[string]int{"from the start": memnet.Capacity, "in the middle": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := memnet.Pipe()
				defer client.Close()
				server.Write(make([]byte, accepted))
				began := time.Now()
				err := newWriter(t, server).Write(large, time.Now())
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); took < timeout || took > timeout*3/2 {
					t.Errorf("gave up after %v", took)
				}
			})
		})
	}
}

// A slow link is not cut as long as it makes progress. These take some minutes
// for the whole, and pause for up to just under the timeout.
func TestWriteContinuesOnSlowLink(t *testing.T) {
	for name, link := range map[string]struct {
		pause time.Duration
		bytes int
	}{
		"trickle":   {300 * time.Millisecond, 500}, // ReadAll asks for 512 at least
		"in bursts": {timeout * 9 / 10, 16 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := memnet.Pipe()
				got := make(chan []byte)
				go func() {
					b, err := io.ReadAll(&memnet.Slow{Conn: client, Pause: link.pause, Bytes: link.bytes})
					if err != nil {
						t.Error(err)
					}
					got <- b
				}()
				if err := newWriter(t, server).Write(large, time.Now()); err != nil {
					t.Error(err)
				}
				server.Close()
				if b := <-got; !bytes.Equal(b, large) {
					t.Errorf("%d of %d bytes arrived, or others", len(b), len(large))
				}
			})
		})
	}
}

// TLS cannot continue a write after its deadline, so a link must take one
// record within the timeout.
func TestWriteContinuesOnSlowTLSLink(t *testing.T) {
	config := selfSigned(t)
	synctest.Test(t, func(t *testing.T) {
		client, server := memnet.Pipe()
		got := make(chan []byte)
		go func() {
			c := tls.Client(&memnet.Slow{Conn: client, Pause: 300 * time.Millisecond, Bytes: 900}, &tls.Config{InsecureSkipVerify: true})
			b, err := io.ReadAll(c)
			if err != nil {
				t.Error(err)
			}
			got <- b
		}()
		s := tls.Server(server, config)
		if err := newWriter(t, s).Write(large, time.Now()); err != nil {
			t.Error(err)
		}
		s.Close()
		if b := <-got; !bytes.Equal(b, large) {
			t.Errorf("%d of %d bytes arrived, or others", len(b), len(large))
		}
	})
}

func selfSigned(t *testing.T) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// Buffers are empty, and a large one is not kept.
func TestLargeBufferIsNotKept(t *testing.T) {
	for _, size := range []int{1, maxWrite, 100 * maxWrite} {
		b := Get()
		if len(b.B) != 0 {
			t.Fatal("a used buffer")
		}
		b.B = append(b.B, make([]byte, size)...)
		Put(b)
	}
	if b := Get(); cap(b.B) > 2*PieceBytes {
		t.Errorf("kept room for %d bytes", cap(b.B))
	}
}
