package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// destination returns the section "peers" of a new document.
func destination(t *testing.T, text string) *Destination {
	t.Helper()
	d := &Destination{Name: "peers", Document: filepath.Join(t.TempDir(), "DOC.md")}
	if err := os.WriteFile(d.Document, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return d
}

func wantDocument(t *testing.T, d *Destination, want string) {
	t.Helper()
	if got, err := os.ReadFile(d.Document); err != nil || string(got) != want {
		t.Errorf("the document is\n%s\nwant\n%s (%v)", got, want, err)
	}
}

func page(picture string) string { return "### new\n\n![](" + picture + ")\n" }

func TestWrite(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"empty": {
			"# A\n\n<!-- peers: by make -->\n<!-- /peers -->\n",
			"# A\n\n<!-- peers: by make -->\n\n### new\n\n![](bench/peers.svg)\n\n<!-- /peers -->\n",
		},
		"others about it": {
			"<!-- capacity: x -->\none\n<!-- /capacity -->\n<!-- peers: x -->\ntwo\n<!-- /peers -->\nthree",
			"<!-- capacity: x -->\none\n<!-- /capacity -->\n<!-- peers: x -->\n\n### new\n\n![](bench/peers.svg)\n\n<!-- /peers -->\nthree",
		},
		"named in prose": {
			"It is between `<!-- peers: -->` and `<!-- /peers -->`.\n<!-- peers: x -->\n<!-- /peers -->\n",
			"It is between `<!-- peers: -->` and `<!-- /peers -->`.\n<!-- peers: x -->\n\n### new\n\n![](bench/peers.svg)\n\n<!-- /peers -->\n",
		},
		"lines of Windows": {
			"# A\r\n<!-- peers: x -->\r\nold\r\n<!-- /peers -->\r\n",
			"# A\r\n<!-- peers: x -->\r\n\n### new\n\n![](bench/peers.svg)\n\n<!-- /peers -->\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := destination(t, c.in)
			for range 2 { // the second time changes nothing
				if err := d.Check(true); err != nil {
					t.Fatal(err)
				}
				var stdout bytes.Buffer
				if err := d.Write(page, []byte("<svg/>"), nil, &stdout, io.Discard); err != nil {
					t.Fatal(err)
				}
				wantDocument(t, d, c.want)
				if got, err := os.ReadFile(filepath.Join(filepath.Dir(d.Document), "bench", "peers.svg")); err != nil || string(got) != "<svg/>" {
					t.Errorf("the picture: %q, %v", got, err)
				}
				if stdout.Len() > 0 {
					t.Errorf("printed:\n%s", &stdout)
				}
			}
		})
	}
}

func TestWriteFailedMeasurement(t *testing.T) {
	const text = "<!-- peers: x -->\nold\n<!-- /peers -->\n"
	d := destination(t, text)
	if err := d.Check(true); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	var stdout bytes.Buffer
	if err := d.Write(page, nil, broken, &stdout, io.Discard); !errors.Is(err, broken) || !strings.Contains(err.Error(), d.Document) {
		t.Errorf("the error is %v", err)
	}
	wantDocument(t, d, text)
	if !strings.HasPrefix(stdout.String(), "### new") {
		t.Errorf("printed:\n%s", &stdout)
	}
	if _, err := os.Stat(d.Picture); !os.IsNotExist(err) {
		t.Errorf("there is a picture, or: %v", err)
	}
}

func TestCheckRefuses(t *testing.T) {
	const begin, end = "<!-- peers: x -->\n", "<!-- /peers -->\n"
	for name, text := range map[string]string{
		"no section": "# A\n", "another section": "<!-- peer: x -->\n" + end, "no end": begin, "two beginnings": begin + begin + end,
		"two ends": begin + end + end, "the end first": end + begin,
	} {
		d := destination(t, text)
		if err := d.Check(true); err == nil || !strings.Contains(err.Error(), d.Document) || !strings.Contains(err.Error(), "must be there once") {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := destination(t, begin+end)
	if err := d.Check(false); err == nil || !strings.Contains(err.Error(), "complete runs") {
		t.Errorf("an incomplete run: %v", err)
	}
	d.Document = filepath.Join(t.TempDir(), "none.md")
	if err := d.Check(true); !os.IsNotExist(err) {
		t.Errorf("of a file that does not exist: %v", err)
	}
	if err := (&Destination{}).Check(false); err != nil {
		t.Errorf("a printed report: %v", err)
	}
}

// The document of this repository has both sections.
func TestBenchmarksDocument(t *testing.T) {
	for _, name := range []string{"peers", "capacity"} {
		d := Destination{Name: name, Document: filepath.Join("..", "..", "..", "..", "BENCHMARKS.md")}
		if err := d.Check(true); err != nil {
			t.Error(err)
		}
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		Number(0): "0", Number(0.5): "0.50", Number(9.999): "10.0", Number(12.34): "12.3", Number(99.96): "100", Number(9994): "9994",
		Number(9999): "10.0k", Number(999_499): "999k", Number(999_600): "1.00M", Number(333e6): "333M",
		Count(999): "999", Count(-1234567): "-1,234,567", Count(1000.7): "1,000",
		Duration(0): "0 µs", Duration(1500 * time.Nanosecond): "1.50 µs", Duration(12 * time.Millisecond): "12.0 ms", Duration(90 * time.Second): "90.0 s",
		Memory(0): "-", Memory(5 << 10): "5.00 KB", Memory(3 << 20): "3.00 MB", Percent(0.804): "80 %",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got, want := Table([][]string{{"", "a", "b"}, {"x|y\nz", "1"}}, 2), "|  | a | b |\n|---|---:|---|\n| x/y z | 1 |  |\n"; got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
}

// Every colour of a picture follows the page.
func TestPictureIsThemed(t *testing.T) {
	p := NewPicture("a <title>", 100, 100)
	for i, theme := range themes {
		p.Text(0, float64(10*i), 8, theme.light, "a & b")
	}
	svg := string(p.SVG())
	for _, want := range []string{"prefers-color-scheme:dark", "a &lt;title&gt;", "a &amp; b", "fill:var(--ink)", "fill:var(--red)", "--ink:#e6edf3"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%q is missing from\n%s", want, svg)
		}
	}
	for dec := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
	style := strings.Index(svg, "</style>")
	if strings.Contains(svg[style:], "#") {
		t.Errorf("a colour does not follow the page:\n%s", svg[style:])
	}
}
