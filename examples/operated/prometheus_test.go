package main

import (
	"os"
	"os/exec"
	"testing"
)

// Prometheus accepts its configuration, and finds the rules that it names.
func TestPrometheusConfig(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	switch {
	case err == nil:
	case os.Getenv("REQUIRE") != "" || os.Getenv("CI") != "":
		t.Fatal("promtool is missing: install the package prometheus")
	default:
		t.Skip("promtool is missing: install the package prometheus")
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "config", "prometheus.yml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
