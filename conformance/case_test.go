package conformance

import (
	"strings"
	"testing"
)

func TestDecodeRefuses(t *testing.T) {
	const good = `{"name":"a","level":"must","about":"A.","transports":["sse"],"connections":[{}]}`
	if _, err := decode([]byte("[" + good + "]")); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		`{}`:                "cannot unmarshal object",
		`[` + good + `] []`: "something follows",
		`[{"name":"a"}]`:    "are needed",
		`[{"names":"a"}]`:   "unknown field",
		`[` + strings.Replace(good, "must", "shall", 1) + `]`:                        `level "shall"`,
		`[` + strings.Replace(good, "sse", "poll", 1) + `]`:                          `transport "poll"`,
		`[` + strings.Replace(good, `"name"`, `"stops":"should","name"`, 1) + `]`:    `stops "should"`,
		`[` + strings.Replace(good, `[{}]`, `[{"steps":[{"end":"bang"}]}]`, 1) + `]`: `end "bang"`,
	} {
		if _, err := decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
