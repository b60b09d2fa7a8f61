package transporttest_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/crier-go/crier/transport/transporttest"
)

// readLine is the client's half of a transport that sends a JSON object in each
// line: all that [transporttest.Run] needs to know about it.
func readLine(r *bufio.Reader) (f transporttest.Frame, err error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return f, err
	}
	err = json.Unmarshal(line, &f)
	return f, err
}

// HTTP makes a client of a function that reads one frame. Here it reads from a
// server that says the same to everybody.
func ExampleHTTP() {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		if _, err := http.ReadRequest(bufio.NewReader(server)); err != nil {
			return
		}
		io.WriteString(server, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+
			`{"id":"1","event":"chat.message.posted","data":"hello"}`+"\n"+
			`{"event":"stream.end","data":{"reason":"shutdown"}}`+"\n")
	}()

	request, err := http.NewRequest("GET", "http://example.com/lines", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	next, err := transporttest.HTTP(readLine)(client, request)
	for err == nil {
		var f transporttest.Frame
		if f, err = next(); err == nil {
			fmt.Println(f.Event, string(f.Data))
		}
	}
	fmt.Println("at the end of the stream:", errors.Is(err, io.EOF))
	// Output:
	// chat.message.posted "hello"
	// stream.end {"reason":"shutdown"}
	// at the end of the stream: true
}
