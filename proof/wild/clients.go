package main

import "slices"

// clients is everyone who is tried. Those of one kind stand together.
var clients = slices.Concat(goClients, nodeClients, pythonClients, pageClients)

const python = "/usr/bin/python3" // the one that Debian's packages are for

var nodeClients = []client{
	process("eventsource", "events", true, "node", "node.mjs", "eventsource"),
	process("eventsource-client", "events", true, "node", "node.mjs", "eventsource-client"),
	process("undici", "events", false, "node", "node.mjs", "undici"),
	process("ws", "ws", false, "node", "node.mjs", "ws"),
	process("curl", "events", true, "bash", "curl.sh"),
}

var pythonClients = []client{
	process("requests", "events", true, python, "requests_client.py"),
	process("requests lean", "lean", false, python, "requests_client.py"),
	process("requests default", "events", false, python, "requests_client.py", "--default"),
	process("aiohttp", "events", true, python, "aiohttp_client.py"),
	process("aiohttp ws", "ws", false, python, "aiohttp_client.py"),
	process("websockets", "ws", true, python, "websockets_client.py"),
}

var pageClients = []client{
	page(chromium, "EventSource", "events", true),
	page(chromium, "EventSource", "lean", true),
	page(chromium, "WebSocket", "ws", true),
	page(firefox, "EventSource", "events", true),
	page(firefox, "EventSource", "lean", false),
	page(firefox, "WebSocket", "ws", true),
	page(webkit, "EventSource", "events", true),
	page(webkit, "EventSource", "lean", false),
	page(webkit, "WebSocket", "ws", true),
	page(chromium, "fetch-event-source", "events", true),
	page(chromium, "fetch-event-source", "lean", false),
	page(chromium, "fetch-event-source plain", "events", false),
	page(chromium, "sse.js", "events", true),
	page(chromium, "sse.js", "lean", false),
	page(chromium, "reconnecting-eventsource", "events", true),
	page(chromium, "react-native-sse", "events", false),
	page(chromium, "reconnecting-websocket", "ws", true),
	page(chromium, "partysocket", "ws", false),
	page(chromium, "robust-websocket", "ws", false),
	page(chromium, "sockette", "ws", true),
	page(chromium, "htmx2", "events", true),
	page(chromium, "htmx4", "events", false),
	page(chromium, "htmx-ws", "ws", false),
	page(chromium, "turbo", "events", false),
	page(chromium, "datastar", "events", false),
}

// bareClients are tried behind proxies without a recipe.
var bareClients = []string{"chromium EventSource", "chromium WebSocket", "chromium reconnecting-eventsource", "eventsource"}

// proxied are the clients that are tried behind proxies: those that differ in
// what a proxy can do to them.
var proxied = []string{
	"chromium EventSource", "chromium WebSocket", "firefox EventSource", "webkit EventSource",
	"eventsource", "requests", "gorilla/websocket", "chromium sse.js", "chromium reconnecting-websocket",
}
