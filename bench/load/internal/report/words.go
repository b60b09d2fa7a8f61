package report

import (
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/dustin/go-humanize"
)

// Render executes a template, which can call the functions of this file.
func Render(text string, data any) string {
	var b strings.Builder
	functions := template.FuncMap{"table": Table, "number": Number, "count": Count[int], "round": Count[float64], "duration": Duration, "memory": Memory, "percent": Percent}
	if err := template.Must(template.New("").Funcs(functions).Parse(text)).Execute(&b, data); err != nil {
		panic(err) // a bug in the template
	}
	return b.String()
}

// Table returns a Markdown table. The first column and those with these indices are aligned left, the others right.
func Table(rows [][]string, left ...int) string {
	var b strings.Builder
	for i, row := range rows {
		cells := slices.Concat(row, make([]string, len(rows[0])-len(row)))
		for j := range cells {
			cells[j] = strings.ReplaceAll(strings.Join(strings.Fields(cells[j]), " "), "|", "/")
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			for j := range row {
				cells[j] = "|---:"
				if j == 0 || slices.Contains(left, j) {
					cells[j] = "|---"
				}
			}
			b.WriteString(strings.Join(cells, "") + "|\n")
		}
	}
	return b.String()
}

// Number returns a number with three significant digits, and thousands as k and M.
func Number(v float64) string {
	unit := ""
	switch {
	case v >= 999_500:
		v, unit = v/1e6, "M"
	case v >= 9_995:
		v, unit = v/1e3, "k"
	}
	switch {
	case v == 0:
		return "0"
	case v >= 99.95:
		return fmt.Sprintf("%.0f%s", v, unit)
	case v >= 9.995:
		return fmt.Sprintf("%.1f%s", v, unit)
	}
	return fmt.Sprintf("%.2f%s", v, unit)
}

// Duration returns a duration with three significant digits.
func Duration(d time.Duration) string {
	switch {
	case d >= time.Second:
		return Number(d.Seconds()) + " s"
	case d >= time.Millisecond:
		return Number(d.Seconds()*1e3) + " ms"
	}
	return Number(d.Seconds()*1e6) + " µs"
}

// Memory returns an amount of memory in KB or MB; "-" if it is not known.
func Memory(bytes float64) string {
	switch {
	case bytes <= 0:
		return "-"
	case bytes >= 1<<20:
		return Number(bytes/(1<<20)) + " MB"
	}
	return Number(bytes/(1<<10)) + " KB"
}

// Count returns a count with groups of thousands: 10,000.
func Count[N int | int64 | float64](n N) string { return humanize.Comma(int64(n)) }

// Percent returns a part of a whole, 0 to 1, in percent.
func Percent(part float64) string { return fmt.Sprintf("%.0f %%", 100*part) }

// Time returns a time for people.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
