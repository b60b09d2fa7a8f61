// Package crierotel exports the metrics and traces of a hub by OpenTelemetry.
//
//	h := hub.New(&registry, nil)
//	stop, err := crierotel.Instrument(h, nil) // the global providers
//
// The hub keeps its own observer, see [hub.Hub.Observe].
//
// # Spans
//
// Each publish is a span of kind producer, named "publish" and the event's type. It
// is a child of the span in the publish's context, and the parent of whatever the
// backplane's client records. Its attributes are those of the semantic conventions
// for messaging (version 1.43.0): messaging.system is "crier",
// messaging.destination.name is the event's type, messaging.message.id is the
// event's id. A delivery is no span: there may be a hundred thousand for one
// publish.
//
// With [Options.StreamSpans], each stream is one span of kind server, named "stream"
// and its transport, that lasts as long as the stream. It is a child of the
// request's span, if there is one. Its attributes name the user, and why the
// stream ended; gaps are span events.
//
// # Trace context
//
// A browser or a service continues the trace in which an event was made if the
// event's payload carries it. Embed a [TraceContext] in the payload:
//
//	type Posted struct {
//		Text string `json:"text"`
//		crierotel.TraceContext
//	}
//	e, err := posted.New(user, Posted{"hello", crierotel.Capture(ctx)})
//
// It is in the payload and not beside it, since a browser's EventSource shows its
// page nothing else of a message. So it reaches every client, passes every backplane
// and is replayed, and is a member of the payload's schema. A client finds the two
// members where its propagator looks for them:
//
//	propagation.extract(context.active(), JSON.parse(e.data)) // @opentelemetry/api
//	payload.TraceContext.Context(ctx)                         // in Go
//
// The first line returns the parent for tracer.startSpan, once the page has called
// WebTracerProvider.register, which sets the propagator. The package crier for
// JavaScript has parsed the payload: there it is e.data without JSON.parse.
//
// An event is encoded once, for all who receive it, and before it is published. So
// the client's span is a child of the span in which the event was made, and a
// sibling of the span "publish". An event that is replayed belongs to a trace that
// may be over: a client that resumes may prefer a link to a parent.
//
// # Metrics
//
// Names follow signalr.server.*, the only conventions for connections of this kind.
// crier.transport is "sse", "ws", "poll" or a name of the application's own.
// crier.connection.status is a hub.Reason, crier.start a hub.Start, crier.gap.reason
// a hub.GapReason. No attribute depends on users, topics or clients.
//
//	crier.server.active_connections    up-down counter, {connection}  crier.transport
//	crier.server.connection.duration   histogram, s                   crier.transport, crier.connection.status
//	crier.server.opened_connections    counter, {connection}          crier.transport, crier.start
//	crier.server.refused_connections   counter, {connection}          crier.transport, crier.connection.status
//	crier.server.active_users          up-down counter, {user}
//	crier.server.delivered_events      counter, {event}
//	crier.server.replayed_events       counter, {event}
//	crier.server.gaps                  counter, {gap}                 crier.gap.reason
//	crier.server.delivery.duration     histogram, s                   from publish to write, see hub.Write
//	crier.server.delivery.batch_size   histogram, {event}             events in one write
//	crier.server.retained_events       up-down counter, {event}
//	crier.server.retained_size         up-down counter, By
//	crier.server.behind_events         gauge, {event}                 events that the furthest stream has yet to look at
//	crier.server.errors                counter, {error}               failures that no caller could be told of
//	crier.backplane.following          gauge, 1                       1 or 0; only with a backplane
//	crier.backplane.lag                gauge, {record}                only with a backplane
//	messaging.client.sent.messages     counter, {message}             messaging.*, error.type
//	messaging.client.operation.duration histogram, s                  messaging.*, error.type
//
// # Cost
//
// A write to a client costs two records of a histogram, about 0.2 µs, and allocates
// nothing. A View that drops both histograms saves most of it. A collection visits
// every stream once.
package crierotel
