package event_test

import "strings"

// A received is an event as a client dispatches it.
type received struct {
	LastID string
	Name   string // empty where the stream named none
	Data   string
}

// parseSSE reads an event stream as the HTML standard requires of a client
// ("Interpreting an event stream"). It shares no code with the package. It returns
// lines with fields other than id, event and data in other.
func parseSSE(stream []byte) (events []received, other []string) {
	// Decoding as UTF-8 replaces what is not, and drops one byte order mark.
	text := strings.TrimPrefix(string([]rune(string(stream))), "\ufeff")

	var lastID, name string
	var data strings.Builder
	var hasData bool
	dispatch := func() {
		if hasData {
			events = append(events, received{lastID, name, strings.TrimSuffix(data.String(), "\n")})
		}
		name, hasData = "", false
		data.Reset()
	}
	field := func(key, value string) {
		switch key {
		case "id":
			if !strings.Contains(value, "\x00") {
				lastID = value
			}
		case "event":
			name = value
		case "data":
			data.WriteString(value + "\n")
			hasData = true
		default:
			other = append(other, key+": "+value)
		}
	}
	for text != "" {
		// A line ends with CRLF, LF or CR; one that does not end is not a line yet.
		end := strings.IndexAny(text, "\r\n")
		if end < 0 {
			other = append(other, "unfinished: "+text)
			break
		}
		line := text[:end]
		if strings.HasPrefix(text[end:], "\r\n") {
			end++
		}
		text = text[end+1:]

		key, value, colon := strings.Cut(line, ":")
		switch {
		case line == "":
			dispatch()
		case colon && key == "":
			other = append(other, "comment: "+value)
		default:
			field(key, strings.TrimPrefix(value, " "))
		}
	}
	if name != "" || hasData {
		other = append(other, "an event without its blank line")
	}
	return events, other
}
