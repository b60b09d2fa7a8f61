package debug

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// since returns how long ago a time was, for a person.
func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return time.Since(t).Round(time.Second).String() + " ago"
}

func byteSize(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprint(n, " B")
}

// sparkline draws one number of the samples as an SVG.
func sparkline(samples []sample, what string) template.HTML {
	values := make([]float64, len(samples))
	top := 1.0
	for i, s := range samples {
		switch what {
		case "streams":
			values[i] = float64(s.Streams)
		case "published":
			values[i] = s.Published
		case "delivered":
			values[i] = s.Delivered
		case "bytes":
			values[i] = float64(s.Bytes)
		}
		top = max(top, values[i])
	}
	var points strings.Builder
	for i, v := range values {
		fmt.Fprintf(&points, "%d,%.1f ", kept-len(values)+i, 39-38*v/top)
	}
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %d 40" preserveAspectRatio="none" role="img" aria-label="the last 15 minutes"><polyline points="%s"/></svg>`, kept, points.String()))
}

// stamp returns a time as in RFC 3339, in UTC, with milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
