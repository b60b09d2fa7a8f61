package crierprom_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	crierprom "github.com/crier-go/crier/observe/prometheus"
)

// Every metric that the dashboard and the alerts name exists, with these labels.
func TestNamesExist(t *testing.T) {
	known := map[string]bool{}
	h := open(t)
	for _, f := range collect(t, crierprom.NewCollector(h)) {
		known[f.GetName()] = true
	}
	used := map[string]bool{}
	alerts, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(alerts)}
	for _, p := range dashboard(t).Panels {
		for _, target := range p.Targets {
			texts = append(texts, target.Expr)
		}
	}
	for _, text := range texts {
		for _, name := range regexp.MustCompile(`\bcrier_\w+`).FindAllString(text, -1) {
			name = strings.TrimSuffix(name, "_bucket")
			if used[name] = true; !known[name] {
				t.Errorf("there is no %s", name)
			}
		}
	}
	for name := range known {
		if !used[name] && name != "crier_backplane_applied_records" {
			t.Errorf("neither the dashboard nor an alert uses %s", name)
		}
	}
}

// resolve replaces the variables that Grafana would.
func resolve(expr string) string {
	return strings.NewReplacer("$__rate_interval", "5s", "$job", ".*").Replace(expr)
}

// A dashboardFile is what the tests need to know of dashboard.json.
type dashboardFile struct {
	Title  string
	Panels []struct {
		ID          int
		Type, Title string
		Description string
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ Expr string }
	}
}

// dashboard reads dashboard.json.
func dashboard(t *testing.T) dashboardFile {
	t.Helper()
	b, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboardFile
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Every panel has a place of its own, and says what it shows.
func TestDashboard(t *testing.T) {
	d := dashboard(t)
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && (p.Title == "" || p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %d, %q, has no title, no description or no query", p.ID, p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, taken := cells[[2]int{x, y}]; taken || x >= 24 {
					t.Fatalf("%q covers %q at %d, %d", p.Title, other, x, y)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
	if len(d.Panels) < 20 {
		t.Errorf("%d panels", len(d.Panels))
	}
}
