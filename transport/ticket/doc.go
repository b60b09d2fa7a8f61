// Package ticket lets clients open streams that cannot set headers, such as an
// EventSource or a browser's WebSocket, where the application's own sessions are
// bearer tokens or belong to another site. A ticket is a signed token for one
// session and one purpose. It is valid for half a minute by default, and goes into
// the query:
//
//	tickets := ticket.New(check, nil, key)
//	http.Handle("GET /events", sse.NewHandler(h, tickets.Authenticator("sse", authenticate), nil))
//	http.HandleFunc("POST /ticket", func(w http.ResponseWriter, r *http.Request) {
//		session, err := authenticate(r) // by its Authorization header
//		...
//		t, err := tickets.Mint("sse", session)
//		...
//	})
//
//	new EventSource("/events?ticket=" + ticket)
//
// # What a ticket opens
//
// A ticket opens a stream for the user and the session that it was minted for,
// with the categories and topics that it was minted with, until the ticket
// expires. The life of a ticket bounds the opening, not the stream: the stream
// ends when its session expires. A ticket that is forged, has expired, was minted
// for another purpose, or was used before (see Options.Once) is answered with 401,
// whatever last event id comes with it.
//
// Check is called for every ticket, so that nobody opens a stream by a ticket of a
// session that has been revoked since.
//
// # Reconnecting
//
// An EventSource reconnects with the URL that it was opened with, and so with a
// ticket that has expired. Therefore a stream that was opened by a ticket sets a
// cookie (HttpOnly, SameSite=Strict, limited to the path of the stream, Secure
// over TLS). The cookie and the expired ticket together open the stream again,
// for the same user, session and purpose, and only if Check agrees. Neither does
// so alone: a ticket that somebody reads in a log is worthless, and a cookie
// without a ticket is ignored.
//
// Where the browser keeps no cookie, for instance in a page of another site, the
// EventSource is answered with 401 and stops. The page then fetches a new ticket
// and opens a new EventSource behind the last id that it has read:
//
//	let last = "";
//	async function open() {
//		const ticket = await fetchTicket(); // try again if that fails
//		const events = new EventSource(`/events?ticket=${ticket}&last_event_id=${last}`);
//		events.addEventListener("chat.message.posted", e => { last = e.lastEventId; ... });
//		events.onerror = () => {
//			if (events.readyState === EventSource.CLOSED) setTimeout(open, 3000);
//		};
//	}
//
// A WebSocket has no reconnect of its own: fetch a new ticket for each.
//
// # Logs
//
// This module never logs a ticket. Proxies log the query of a request unless they
// are told not to. Short lives and Options.Once are for those who read such logs
// at once. docs/sessions.md has what each proxy logs and how to change it.
package ticket
