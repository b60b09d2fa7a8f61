// Command wild holds Crier against programs that nobody here wrote: browsers,
// client libraries and proxies. It starts a server, lets every client connect
// to it directly and behind each proxy, breaks the connections in several ways,
// and prints what each client made of it.
//
// expected.txt has the verdicts that must hold. A cell that is worse fails the
// run. So does a program that is missing, if CI or REQUIRE is set.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "wild:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("wild", flag.ContinueOnError)
	fs.SetOutput(stderr)
	short := fs.Bool("short", false, "run chosen clients behind chosen proxies, in less than three minutes")
	onlyClients := fs.String("clients", "", "comma-separated `names` of clients, or parts of them; all by default")
	onlyProxies := fs.String("proxies", "", "comma-separated `names` of proxies, or parts of them; all by default")
	parallel := fs.Int("parallel", 3, "how many proxies are tried at a time; `n`")
	update := fs.Bool("update", false, "write what came out into expected.txt")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%q is not a flag", fs.Arg(0))
	}
	if *parallel < 1 {
		return errors.New("-parallel must be positive")
	}
	want, err := readBook("expected.txt")
	if err != nil {
		return err
	}

	if err := want.unexplained(); err != nil && !*update {
		return err
	}

	var absent []error
	var runs []plan
	for _, p := range chosenProxies(*onlyProxies, *short) {
		if err := p.missing(); err != nil {
			absent = append(absent, err)
			continue
		}
		there, missing := present(chosenClients(p, *onlyClients, *short))
		for _, err := range missing {
			if !slices.ContainsFunc(absent, func(e error) bool { return e.Error() == err.Error() }) {
				absent = append(absent, err)
			}
		}
		for _, group := range split(there) {
			runs = append(runs, plan{proxy: p, clients: group})
		}
	}

	c, err := newCollector()
	if err != nil {
		return err
	}
	defer c.close()
	shared.collector = c
	defer closeBrowsers()
	pages, err := newPages()
	if err != nil {
		return err
	}
	if err := startBrowsers(runs); err != nil {
		return err
	}
	log.SetOutput(io.Discard) // net/http/httputil logs what clients abort
	rows, err := runAll(ctx, runs, *parallel, pages, stderr)
	if slow := want.again(rows); len(slow) > 0 && err == nil {
		fmt.Fprintf(stderr, "%d clients were not in time; once more\n", len(slow))
		err = tryAgain(ctx, runs, rows, slow, pages, stderr)
	}
	want.print(stdout, rows)
	if err != nil {
		return err
	}
	if *update {
		return want.update(rows)
	}
	failed := want.compare(stdout, rows)
	for _, err := range absent {
		fmt.Fprintln(stdout, "not run here:", err)
	}
	switch {
	case failed > 0:
		return fmt.Errorf("%d cells are not as expected.txt says", failed)
	case len(absent) > 0 && (os.Getenv("CI") != "" || os.Getenv("REQUIRE") != ""):
		return errors.New("nothing may be missing here")
	}
	return nil
}

// A plan is which clients are tried behind a proxy.
type plan struct {
	proxy   *proxy
	clients []*client
}

func runAll(ctx context.Context, plans []plan, parallel int, pages *pages, progress io.Writer) ([]row, error) {
	var mu sync.Mutex
	var errs []error
	results := make([][]row, len(plans))
	slots := make(chan bool, parallel)
	var all sync.WaitGroup
	progress = &lockedWriter{w: progress}
	for i, p := range plans {
		slots <- true
		all.Go(func() {
			defer func() { <-slots }()
			r, stop, err := newRig(ctx, p.proxy, p.clients, pages, progress)
			if err == nil {
				err = r.run(ctx)
				stop()
				for _, s := range r.seats {
					results[i] = append(results[i], s.row)
				}
			}
			if err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	var rows []row
	for _, r := range results {
		rows = append(rows, r...)
	}
	return rows, errors.Join(errs...)
}

// tryAgain runs some clients once more, one proxy at a time, and replaces their
// rows.
func tryAgain(ctx context.Context, plans []plan, rows, slow []row, pages *pages, progress io.Writer) error {
	var again []plan
	for _, p := range plans {
		var clients []*client
		for _, c := range p.clients {
			if slices.ContainsFunc(slow, func(r row) bool { return r.proxy == p.proxy.name && r.client == c.name }) {
				clients = append(clients, c)
			}
		}
		if len(clients) > 0 {
			again = append(again, plan{p.proxy, clients})
		}
	}
	second, err := runAll(ctx, again, 1, pages, progress)
	for _, r := range second {
		for i := range rows {
			if rows[i].proxy == r.proxy && rows[i].client == r.client {
				rows[i] = r
			}
		}
	}
	return err
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// chosenProxies returns the proxies whose name contains one of the given parts.
func chosenProxies(only string, short bool) []*proxy {
	var chosen []*proxy
	for _, p := range proxies {
		if fits(p.name, only) && (p.short || !short) {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

// fits reports whether a name contains one of comma-separated parts.
func fits(name, only string) bool {
	for part := range strings.SplitSeq(only, ",") {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// chosenClients returns who is tried behind a proxy.
func chosenClients(p *proxy, only string, short bool) []*client {
	var chosen []*client
	for i := range clients {
		c := &clients[i]
		if fits(c.name, only) && (c.short || !short) && p.takes(c) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// takes reports whether a client is tried behind this proxy.
func (p *proxy) takes(c *client) bool {
	switch {
	case p.bare:
		return slices.Contains(bareClients, c.name)
	case p.name == "direct":
		return true
	}
	return slices.Contains(proxied, c.name)
}

// present returns the clients that can run here, and what the others lack.
func present(clients []*client) (there []*client, absent []error) {
	for _, c := range clients {
		if err := c.needs(); err != nil {
			absent = append(absent, err)
		} else {
			there = append(there, c)
		}
	}
	return there, absent
}

// split divides clients into groups that a browser can hold at one address: it
// opens six connections, and needs one to load pages.
func split(clients []*client) [][]*client {
	const streams = 4
	var groups [][]*client
	var held []map[*engine]int
	for _, c := range clients {
		i := 0
		for i < len(groups) && c.engine != nil && held[i][c.engine] == streams {
			i++
		}
		if i == len(groups) {
			groups, held = append(groups, nil), append(held, map[*engine]int{})
		}
		groups[i] = append(groups[i], c)
		if c.stream != "ws" {
			held[i][c.engine]++
		}
	}
	return groups
}
