package transport

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/crier-go/crier/hub"
)

// topics reads the topics that a client wants: ?topics=a,b and
// ?topics=a&topics=b both; none at all means none.
func topics(r *http.Request) ([]string, error) {
	values, ok := queryValues(r, "topics", topicsLimit)
	switch {
	case topicsLimit.exceeds(values):
		return nil, &refusal{status: http.StatusBadRequest, message: "too many topics for one stream"}
	case !ok:
		return nil, &refusal{status: http.StatusBadRequest, message: "the topics are malformed: name them as ?topics=a,b, percent-encoded"}
	case values == nil:
		return nil, nil
	}
	return strings.Split(strings.Join(values, ","), ","), nil
}

// topicRefusal turns the hub's errors about topics into answers for the client.
// It returns other errors as they are.
func topicRefusal(err error) error {
	malformed, isMalformed := errors.AsType[*hub.TopicError](err)
	tooMany, isTooMany := errors.AsType[*hub.TooManyTopicsError](err)
	forbidden, isForbidden := errors.AsType[*hub.ForbiddenTopicsError](err)
	switch {
	case isMalformed:
		return &refusal{status: http.StatusBadRequest, message: strings.TrimPrefix(malformed.Error(), "hub: ")}
	case isTooMany:
		return &refusal{status: http.StatusBadRequest, message: strings.TrimPrefix(tooMany.Error(), "hub: ")}
	case isForbidden:
		return &refusal{status: http.StatusForbidden, message: "this session may not follow one of these topics", topics: forbidden.Topics}
	}
	return err
}

// forbiddenTopics is the header of a 403 that names the topics that were asked for and
// are refused, percent-encoded and divided by commas. A client that has followed them
// before goes on without them: the application has taken them while there was no
// connection to tell it. The header does not say which topics exist.
const forbiddenTopics = "Crier-Forbidden-Topics"

// longestHeader is how many bytes of names are sent. Clients bound the headers that
// they accept; without the names, the client has to ask its application.
const longestHeader = 4096

func escapeTopics(names []string) string {
	escaped := make([]string, len(names))
	for i, name := range names {
		escaped[i] = url.PathEscape(name)
	}
	if all := strings.Join(escaped, ","); len(all) <= longestHeader {
		return all
	}
	return ""
}

// TopicProblem returns what a client may read of an error of
// [hub.Subscription.SetTopics].
func TopicProblem(err error) string {
	if r, ok := topicRefusal(err).(*refusal); ok {
		return r.message
	}
	return "the topics cannot be changed now"
}
