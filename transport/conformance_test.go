package transport_test

import (
	"bufio"
	"encoding/json"
	"testing"

	"github.com/crier-go/crier/transport/transporttest"
)

// The transport of ExampleAcceptor keeps all promises.
func TestConformance(t *testing.T) {
	transporttest.Run(t, transporttest.Transport{
		Handler: newLines,
		Open:    transporttest.HTTP(readLine),
	})
}

func readLine(r *bufio.Reader) (f transporttest.Frame, err error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(line, &f)
}
