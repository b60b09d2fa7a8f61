package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/crier-go/crier/bench/internal/machine"
)

// An environment is what a measurement depends on besides the peers.
type environment struct {
	when     time.Time
	cpu      string
	cores    int
	kernel   string
	goos     string
	goVer    string
	rounds   int
	length   time.Duration
	versions []string // module and version
}

func describe(c *campaign) environment {
	e := environment{
		when:   time.Now(),
		cpu:    machine.Processor(),
		cores:  runtime.NumCPU(),
		goos:   runtime.GOOS + "/" + runtime.GOARCH,
		goVer:  runtime.Version(),
		rounds: c.rounds,
		length: c.length,
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		e.kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return e
	}
	for _, p := range peers {
		if p.module == "" {
			continue
		}
		i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == p.module })
		if i < 0 {
			continue
		}
		m := info.Deps[i]
		version := m.Version
		if m.Replace != nil {
			version = "this checkout"
		}
		if line := strings.TrimPrefix(m.Path, "github.com/") + " " + version; !slices.Contains(e.versions, line) {
			e.versions = append(e.versions, line)
		}
	}
	return e
}

func (e *environment) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "Measured on %s: %s, %d cores, %s, %s %s; %d rounds of %s.\n\n",
		e.when.UTC().Format("2006-01-02 15:04 UTC"), e.cpu, e.cores, e.kernel, e.goVer, e.goos, e.rounds, e.length)
	fmt.Fprintf(b, "Versions: %s.\n", strings.Join(e.versions, ", "))
}

// line is the same in one line, for the picture.
func (e *environment) line() string {
	return fmt.Sprintf("%s · %d cores · %s · %s · %s · medians, rounds: %d",
		e.cpu, e.cores, e.kernel, e.goVer, e.when.UTC().Format("2006-01-02"), e.rounds)
}
