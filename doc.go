// Package crier has no code of its own; it is where the module begins.
//
// Crier is a library that an application embeds to tell its users what just
// happened: the application publishes an event for a user, and every tab, phone
// or service that this user has open receives it, over Server-Sent Events or
// WebSocket, in order, and after a broken connection from where it stopped.
//
// The packages, in the order in which an event passes through them:
//
//   - event: what happened. Define the kinds of events, and make them.
//   - event/catalog: a ready vocabulary for account-linking applications.
//   - schema: TypeScript, JSON Schema and AsyncAPI from a registry, and which
//     changes break clients; cmd/crier-schema compares two contracts.
//   - bridge: from an application's own domain events to events for users.
//   - hub: who receives it. Publish, subscribe, resume; its package comment
//     begins with the promises.
//   - hub/hubtest: for the tests of applications that publish.
//   - hub/backplanetest: what every backplane must pass. The engines (NATS,
//     Redis, PostgreSQL) are in modules of their own, below backplane.
//   - transport: how they receive it. What all transports share, and how to write
//     one.
//   - transport/sse, transport/ws and transport/poll: those that are ready to
//     serve.
//   - transport/transporttest: what every transport must pass, also yours.
//
// The program in examples/chat uses most of them.
package crier
