package transport_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/transport"
)

func TestOptionsDefaults(t *testing.T) {
	for name, o := range map[string]*transport.Options{"nil": nil, "zero": {}} {
		got := o.WithDefaults()
		if got.Heartbeat != 25*time.Second || got.WriteTimeout != 10*time.Second || got.Retry != 3*time.Second || got.Recheck != 0 || got.Logger == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	origins := []string{"HTTPS://A.Example", "https://b.example:443", "http://c.example:80", "https://d.example:8443", "http://[::1]:8080", "capacitor://localhost"}
	got := (&transport.Options{AllowedOrigins: origins}).WithDefaults().AllowedOrigins
	if want := []string{"https://a.example", "https://b.example", "http://c.example", "https://d.example:8443", "http://[::1]:8080", "capacitor://localhost"}; !slices.Equal(got, want) {
		t.Errorf("origins %q, want %q", got, want)
	}
	o := &transport.Options{Retry: time.Second}
	if got := o.WithDefaults(); got.Retry != time.Second || o.Heartbeat != 0 {
		t.Errorf("got %+v of %+v, which must not change", got, o)
	}
}

// Invalid options panic when the handler is made, and the panic names the
// option.
func TestOptionsPanics(t *testing.T) {
	for want, o := range map[string]transport.Options{
		"Heartbeat":                {Heartbeat: -1},
		"WriteTimeout":             {WriteTimeout: -1},
		"Retry":                    {Retry: -1},
		"Recheck":                  {Recheck: -1},
		`"*"`:                      {AllowedOrigins: []string{"https://a.example", "*"}},
		`"null"`:                   {AllowedOrigins: []string{"null"}},
		`""`:                       {AllowedOrigins: []string{""}},
		`"a.example"`:              {AllowedOrigins: []string{"a.example"}},
		`"https://a.example/"`:     {AllowedOrigins: []string{"https://a.example/"}},
		`"https://u@a.example"`:    {AllowedOrigins: []string{"https://u@a.example"}},
		`"https://a.example?x"`:    {AllowedOrigins: []string{"https://a.example?x"}},
		`"https://a.example:port"`: {AllowedOrigins: []string{"https://a.example:port"}},
		`"https://*.a.example"`:    {AllowedOrigins: []string{"https://*.a.example"}},
		`"https://bücher.example"`: {AllowedOrigins: []string{"https://bücher.example"}},
		`"https:// a.example"`:     {AllowedOrigins: []string{"https:// a.example"}},
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("got %s; want a panic that names %s", got, want)
				}
			}()
			o.WithDefaults()
		})
	}
}
