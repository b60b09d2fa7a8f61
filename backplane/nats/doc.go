// Package nats connects the hubs of several processes through NATS JetStream.
//
//	nc, err := natsgo.Connect("nats://127.0.0.1:4222", nats.ConnectOptions()...)
//	...
//	defer nc.Close()
//	h, err := hub.Open(ctx, registry, &hub.Options{
//		Backplane: nats.New(nc, &nats.Options{Replicas: 3}),
//	})
package nats
