package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsclient "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/crier-go/crier/backplane/nats/natsembedded"
)

// A natsRole is a NATS server: an embedded one, or one of a cluster.
type natsRole struct {
	Dir     string
	Port    int
	Name    string
	Cluster int   // port; zero: embedded, and alone
	Routes  []int // of all in the cluster
}

func (n *natsRole) run() error {
	addr := fmt.Sprintf("127.0.0.1:%d", n.Port)
	if n.Cluster == 0 {
		if _, err := natsembedded.Open(n.Dir, &natsembedded.Options{Listen: addr}); err != nil {
			return err
		}
		untilParentEnds()
		return nil
	}
	o := &server.Options{
		ServerName: n.Name, Host: "127.0.0.1", Port: n.Port, NoSigs: true, JetStream: true, StoreDir: n.Dir,
		Cluster: server.ClusterOpts{Name: "proof", Host: "127.0.0.1", Port: n.Cluster, NoAdvertise: true},
	}
	for _, port := range n.Routes {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		return fmt.Errorf("the server is not ready after %v", patience)
	}
	untilParentEnds()
	return nil
}

// One embedded server, which is killed and started again with its files.
func TestNATSEmbedded(t *testing.T) {
	s := newChild(t, "server", role{NATS: &natsRole{Dir: t.TempDir(), Port: freePort(t)}})
	s.start(t)
	addr := fmt.Sprintf("127.0.0.1:%d", s.role.NATS.Port)
	e := &engine{direct: "nats://" + addr}
	for i := range processes {
		l := newLink(t, addr, i)
		e.links = append(e.links, l)
		e.urls = append(e.urls, "nats://"+l.proxy.Addr())
	}
	e.faults = []fault{{name: "server killed", do: func(t testing.TB, r *rand.Rand) {
		s.kill()
		time.Sleep(time.Duration(r.Int64N(int64(2 * time.Second))))
		s.start(t)
	}}}
	try(t, e)
}

// Three servers, of which that with the stream's leader is killed.
func TestNATSCluster(t *testing.T) {
	var routes []int
	for range 3 {
		routes = append(routes, freePort(t))
	}
	e := &engine{replicas: 3}
	servers := map[string]*child{}
	var direct, through []string
	for i := range 3 {
		n := &natsRole{Dir: t.TempDir(), Port: freePort(t), Name: fmt.Sprint("server", i), Cluster: routes[i], Routes: routes}
		s := newChild(t, n.Name, role{NATS: n})
		s.start(t)
		servers[n.Name] = s
		addr := fmt.Sprintf("127.0.0.1:%d", n.Port)
		l := newLink(t, addr, everyone) // a process may use any of the servers
		e.links = append(e.links, l)
		direct = append(direct, "nats://"+addr)
		through = append(through, "nats://"+l.proxy.Addr())
	}
	e.direct = strings.Join(direct, ",")
	for range processes {
		e.urls = append(e.urls, strings.Join(through, ","))
	}
	nc, err := natsclient.Connect(e.direct, natsclient.MaxReconnects(-1), natsclient.RetryOnFailedConnect(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	leader := func() string {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s, err := js.Stream(ctx, "crier")
		if err != nil || s.CachedInfo().Cluster == nil {
			return ""
		}
		// One that is killed while another has not caught up would leave the
		// stream without a majority.
		for _, peer := range s.CachedInfo().Cluster.Replicas {
			if !peer.Current || peer.Offline {
				return ""
			}
		}
		return s.CachedInfo().Cluster.Leader
	}
	e.faults = []fault{{name: "leader killed", do: func(t testing.TB, r *rand.Rand) {
		deadline := time.Now().Add(patience)
		for servers[leader()] == nil {
			if time.Now().After(deadline) {
				t.Errorf("the stream has no leader with two followers for %v", patience)
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		s := servers[leader()]
		if s == nil {
			return
		}
		s.kill()
		time.Sleep(2*time.Second + time.Duration(r.Int64N(int64(4*time.Second))))
		s.start(t)
	}}}
	try(t, e)
}
