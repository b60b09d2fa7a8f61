package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
)

// profile names the file for what a scenario's server does, or what it holds in memory; empty if none is wanted. Of
// several rounds the last one's stays.
func (c *campaign) profile(s *scenario, p *peer) string {
	if c.profiles == "" {
		return ""
	}
	return filepath.Join(c.profiles, s.name+"-"+p.name+".pprof")
}

// profiled runs a measurement and writes its CPU profile to the file. It costs some percent: a run with profiles says
// where the time goes, one without how much it is.
func profiled(file string, measure func() (reply, error)) (r reply, err error) {
	if file == "" {
		return measure()
	}
	f, err := os.Create(file)
	if err != nil {
		return reply{}, err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return reply{}, fmt.Errorf("writing a CPU profile: %w", err)
	}
	defer pprof.StopCPUProfile()
	return measure()
}

// profileHeap writes what the process holds in memory.
func profileHeap(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return pprof.Lookup("heap").WriteTo(f, 0)
}
