package natsembedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	backplane "github.com/crier-go/crier/backplane/nats"
)

// A Server is a NATS server in this process. All methods are safe for concurrent
// use.
type Server struct {
	server *server.Server
	conn   *nats.Conn
	dir    string
	lock   *os.File
	boot   bootFile
	begun  bool // boot says that the server runs
}

// startTime is how long Open waits for the server to read its files.
const startTime = time.Minute

// Open starts a server with its files in a directory, which it creates if it
// does not exist. Only one process can have a directory open.
func Open(dir string, o *Options) (*Server, error) {
	r, err := o.resolved()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("natsembedded: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "crier.lock"))
	if err != nil {
		return nil, fmt.Errorf("natsembedded: %s is open in another process: %w", dir, err)
	}
	s := &Server{dir: dir, lock: lock, boot: bootFile(filepath.Join(dir, "crier.boot"))}
	if err := s.start(dir, r); err != nil {
		s.stop()
		return nil, fmt.Errorf("natsembedded: %w", err)
	}
	return s, nil
}

func (s *Server) start(dir string, o Options) (err error) {
	lossy, err := s.boot.lossy()
	if err != nil {
		return err
	}
	// If records may be lost, the file stays as it is until the streams have
	// their new epochs.
	if lossy = lossy && !o.SyncAlways; !lossy {
		if err := s.begin(); err != nil {
			return err
		}
	}
	so := &server.Options{
		ServerName:   "crier",
		JetStream:    true,
		StoreDir:     dir,
		DontListen:   o.Listen == "",
		NoSigs:       true,
		MaxPayload:   int32(o.MaxPayload),
		SyncInterval: o.SyncInterval,
		SyncAlways:   o.SyncAlways,
	}
	if o.Listen != "" {
		address, err := net.ResolveTCPAddr("tcp", o.Listen)
		if err != nil {
			return err
		}
		so.Host, so.Port = address.IP.String(), address.Port
		if address.IP == nil {
			so.Host = "0.0.0.0"
		}
		if so.Port == 0 {
			so.Port = server.RANDOM_PORT
		}
	}
	if s.server, err = server.NewServer(so); err != nil {
		return err
	}
	s.server.SetLoggerV2(logger{o.Logger}, false, false, false)
	s.server.Start()
	if !s.server.ReadyForConnections(startTime) {
		return fmt.Errorf("the server is not ready after %v", startTime)
	}
	if s.conn, err = s.Connect(); err != nil {
		return err
	}
	if lossy {
		ctx, cancel := context.WithTimeout(context.Background(), startTime)
		defer cancel()
		if err := backplane.NewEpochs(ctx, s.conn); err != nil {
			return err
		}
		return s.begin()
	}
	return nil
}

func (s *Server) begin() error {
	err := s.boot.begin()
	s.begun = err == nil
	return err
}

// Conn returns a connection to the server, which Close closes.
func (s *Server) Conn() *nats.Conn { return s.conn }

// Connect returns a connection of the caller's own, with options besides those
// that it needs. It uses no network.
func (s *Server) Connect(options ...nats.Option) (*nats.Conn, error) {
	options = append(append(backplane.ConnectOptions(), nats.RetryOnFailedConnect(false)), options...)
	return nats.Connect("", append(options, nats.InProcessServer(s.server))...)
}

// URL returns the address for other processes, such as nats://127.0.0.1:4222. It
// is empty without Options.Listen.
func (s *Server) URL() string {
	if a, ok := s.server.Addr().(*net.TCPAddr); ok {
		return "nats://" + a.String()
	}
	return ""
}

// Close closes the connection of Conn, stops the server, calls fsync for its
// files, and releases the directory. Shut the hub down before.
func (s *Server) Close() error {
	if err := s.stop(); err != nil {
		return fmt.Errorf("natsembedded: %w", err)
	}
	return nil
}

// stop stops what runs, also after a start that failed.
func (s *Server) stop() error {
	if s.conn != nil {
		s.conn.Close()
	}
	if s.server != nil {
		s.server.Shutdown()
		s.server.WaitForShutdown()
	}
	var err error
	if s.begun {
		// The server does not call fsync when it stops.
		if err = syncAll(s.dir); err == nil {
			err = s.boot.end()
		}
	}
	return errors.Join(err, s.lock.Close())
}
