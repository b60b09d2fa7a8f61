package debug

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/crier-go/crier/hub"
)

// ago returns how long ago a time was, for a person: two units at most.
func ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := time.Since(t)
	day, hours, minutes, seconds := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case day > 0:
		return fmt.Sprintf("%d d %d h ago", day, hours)
	case hours > 0:
		return fmt.Sprintf("%d h %d min ago", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%d min %d s ago", minutes, seconds)
	case seconds > 0:
		return fmt.Sprintf("%d s ago", seconds)
	}
	return "just now"
}

// stamp returns a time as in RFC 3339, in UTC, with milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// clock returns a time of day in UTC, with milliseconds, and with the date if that is
// not today.
func clock(t time.Time) string {
	t = t.UTC()
	if t.Format(time.DateOnly) != time.Now().UTC().Format(time.DateOnly) {
		return t.Format("2006-01-02 15:04:05.000")
	}
	return t.Format("15:04:05.000")
}

// count returns a number with commas between its thousands.
func count[T int | uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// rate returns a number of events in a second.
func rate(f float64) string {
	if f >= 100 || f == 0 {
		return count(int(f))
	}
	return fmt.Sprintf("%.1f", f)
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

// categories names what a filter includes.
func categories(f hub.Filter) string {
	cs, everything := f.Categories()
	switch {
	case everything:
		return "everything"
	case len(cs) == 0:
		return "nothing"
	}
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = string(c)
	}
	return strings.Join(names, ", ")
}

// sparkline draws one number of the samples as an SVG.
func sparkline(samples []sample, number func(sample) float64) template.HTML {
	top := 1.0
	for _, s := range samples {
		top = max(top, number(s))
	}
	var points strings.Builder
	for i, s := range samples {
		fmt.Fprintf(&points, "%d,%.1f ", kept-len(samples)+i, 39-38*number(s)/top)
	}
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %d 40" preserveAspectRatio="none" role="img" aria-label="the last 15 minutes"><polyline points="%s"/></svg>`, kept, points.String()))
}
