package crierotel

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
)

// A TraceContext carries the trace in which an event was made to those who receive
// the event: traceparent and tracestate of W3C Trace Context, level 1. It is to be
// embedded in a payload; see the package comment. The zero value belongs to no
// trace, and takes no bytes in the payload.
//
// Clients see the ids of the trace and of one span, and the tracestate. They do not
// see baggage.
type TraceContext struct {
	Traceparent string `json:"traceparent,omitempty"`
	Tracestate  string `json:"tracestate,omitempty"`
}

// Capture returns the trace context of ctx. It is zero if ctx belongs to no trace.
func Capture(ctx context.Context) TraceContext {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return TraceContext{Traceparent: carrier["traceparent"], Tracestate: carrier["tracestate"]}
}

// Context returns ctx with the trace of c as the remote parent, so that the next
// span continues it. If c is zero or not valid, it returns ctx as it is.
func (c TraceContext) Context(ctx context.Context) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{
		"traceparent": c.Traceparent, "tracestate": c.Tracestate,
	})
}
