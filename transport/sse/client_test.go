package sse_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/crier-go/crier/transport/transporttest"
)

// readFrame reads one event as the HTML standard says that a client does, and
// is strict about what this package promises besides: "id", "event", "data" in
// this order, a space after every colon, LF alone, nothing unknown.
func readFrame(r *bufio.Reader) (f transporttest.Frame, err error) {
	var data []string
	order := ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return f, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(line, "\r\x00") {
			return f, fmt.Errorf("not a line of this stream: %.100q", line)
		}
		order += name[:1]
		switch name {
		case "retry":
		case "id":
			f.ID = value
		case "event":
			f.Event = value
		case "data":
			data = append(data, value)
		default:
			return f, fmt.Errorf("unknown field in %.100q", line)
		}
	}
	f.Data = json.RawMessage(strings.Join(data, "\n"))
	if order = strings.TrimRight(order, "d"); !strings.HasSuffix("rie", order) && order != "re" {
		return f, fmt.Errorf("fields come in the order retry, id, event, data; got %q and data", order)
	}
	return f, nil
}
