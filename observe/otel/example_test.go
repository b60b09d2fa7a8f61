package crierotel_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/crier-go/crier/hub"
	crierotel "github.com/crier-go/crier/observe/otel"
)

// An application instruments its hub, and lets an event carry the trace in which
// it was made.
func Example() {
	spans := tracetest.NewSpanRecorder()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))

	h := hub.New(&kinds, nil)
	stop, err := crierotel.Instrument(h, &crierotel.Options{TracerProvider: traces})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()

	ctx, request := traces.Tracer("app").Start(context.Background(), "POST /messages")
	e, err := posted.New(alice, message{"hello", crierotel.Capture(ctx)})
	if err == nil {
		err = h.Publish(ctx, e)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	request.End()

	for _, s := range spans.Ended() {
		fmt.Println(s.SpanKind(), s.Name(), s.SpanContext().TraceID() == request.SpanContext().TraceID())
	}
	// Output:
	// producer publish chat.message.posted true
	// internal POST /messages true
}
