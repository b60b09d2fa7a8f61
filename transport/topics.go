package transport

import (
	"errors"
	"net/http"
	"strings"

	"github.com/crier-go/crier/hub"
)

// topics reads the topics that a client wants: ?topics=a,b and
// ?topics=a&topics=b both; none at all means none.
func topics(r *http.Request) ([]string, error) {
	values, ok := queryValues(r, "topics", topicsLimit)
	switch {
	case topicsLimit.exceeds(values):
		return nil, &refusal{http.StatusBadRequest, "too many topics for one stream"}
	case !ok:
		return nil, &refusal{http.StatusBadRequest, "the topics are malformed: name them as ?topics=a,b, percent-encoded"}
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
	switch {
	case isMalformed:
		return &refusal{http.StatusBadRequest, strings.TrimPrefix(malformed.Error(), "hub: ")}
	case isTooMany:
		return &refusal{http.StatusBadRequest, strings.TrimPrefix(tooMany.Error(), "hub: ")}
	case errors.Is(err, hub.ErrForbiddenTopic):
		return &refusal{http.StatusForbidden, "this session may not follow one of these topics"}
	}
	return err
}

// TopicProblem returns what a client may read of an error of
// [hub.Subscription.SetTopics].
func TopicProblem(err error) string {
	if r, ok := topicRefusal(err).(*refusal); ok {
		return r.message
	}
	return "the topics cannot be changed now"
}
