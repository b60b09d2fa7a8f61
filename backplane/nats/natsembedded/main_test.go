package natsembedded_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	backplane "github.com/crier-go/crier/backplane/nats"
	"github.com/crier-go/crier/backplane/nats/natsembedded"
	"github.com/crier-go/crier/hub"
)

// childEnv tells the test's own binary to be a server, so that it can be killed.
const childEnv = "CRIER_TEST_NATS"

// A child is a server in a process of its own.
type child struct {
	Dir     string
	Port    int // zero: the directory is opened by natsembedded.Open
	Name    string
	Cluster int // port; zero: no cluster
	Routes  []int
	URL     string `json:"-"`
	cmd     *exec.Cmd
}

func TestMain(m *testing.M) {
	if config := os.Getenv(childEnv); config != "" {
		if err := serve(config); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve is what a child does, until its standard input ends.
func serve(config string) error {
	var c child
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	if c.Port == 0 {
		s, err := natsembedded.Open(c.Dir, &natsembedded.Options{Listen: "127.0.0.1:0"})
		if err != nil {
			return err
		}
		fmt.Println("ready", s.URL())
	} else {
		o := &server.Options{
			ServerName: c.Name, Host: "127.0.0.1", Port: c.Port, NoSigs: true,
			JetStream: true, StoreDir: c.Dir,
		}
		if c.Cluster != 0 {
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: c.Cluster, NoAdvertise: true}
			for _, port := range c.Routes {
				o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
			}
		}
		s, err := server.NewServer(o)
		if err != nil {
			return err
		}
		s.Start()
		if !s.ReadyForConnections(30 * time.Second) {
			return fmt.Errorf("not ready")
		}
		fmt.Println("ready", s.ClientURL())
	}
	bufio.NewReader(os.Stdin).ReadByte() // the parent is gone
	return nil
}

// start starts the server and waits until it is ready.
func (c *child) start(t testing.TB) {
	t.Helper()
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	c.cmd = exec.Command(os.Args[0])
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(config))
	c.cmd.Stderr = os.Stderr
	if _, err := c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	ready, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if !ok {
		t.Fatalf("a server did not start: %q, %v", line, err)
	}
	c.URL = ready
}

// kill kills the server with SIGKILL.
func (c *child) kill() {
	if c.cmd != nil {
		c.cmd.Process.Kill()
		c.cmd.Wait()
		c.cmd = nil
	}
}

// restart kills the server and starts it again with its files.
func (c *child) restart(t testing.TB) {
	t.Helper()
	c.kill()
	c.start(t)
}

// freePorts returns ports that nobody uses. A server that is to be restarted
// needs one that it can have again.
func freePorts(t testing.TB, n int) []int {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// startServer starts one server in a process of its own.
func startServer(t testing.TB) *child {
	c := &child{Dir: t.TempDir(), Port: freePorts(t, 1)[0], Name: "one"}
	t.Cleanup(c.kill)
	c.start(t)
	return c
}

// startCluster starts three servers.
func startCluster(t testing.TB) []*child {
	ports := freePorts(t, 6)
	var servers []*child
	for i := range 3 {
		c := &child{
			Dir: t.TempDir(), Port: ports[i], Name: fmt.Sprintf("server%d", i),
			Cluster: ports[3+i], Routes: ports[3:],
		}
		t.Cleanup(c.kill)
		servers = append(servers, c)
	}
	for _, c := range servers {
		c.start(t)
	}
	return servers
}

func urls(servers []*child) string {
	var all []string
	for _, c := range servers {
		all = append(all, c.URL)
	}
	return strings.Join(all, ",")
}

// connect returns a connection that is closed after the test.
func connect(t testing.TB, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, append(backplane.ConnectOptions(), nats.IgnoreDiscoveredServers())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func newBackplane(t testing.TB, url string, o *backplane.Options) hub.Backplane {
	t.Helper()
	return backplane.New(connect(t, url), o)
}
