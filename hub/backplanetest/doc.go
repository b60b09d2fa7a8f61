// Package backplanetest tests implementations of [hub.Backplane], and hubs that
// use one.
//
// [Run] is the suite that every backplane passes. A backplane written elsewhere
// is tested in a few lines:
//
//	func TestConformance(t *testing.T) {
//		backplanetest.Run(t, func(t testing.TB) backplanetest.Engine {
//			server := startServer(t)
//			return backplanetest.Engine{
//				Connect: func(t testing.TB) hub.Backplane { return mine.New(server.Addr()) },
//			}
//		})
//	}
//
// [Proxy] is a TCP proxy that makes the network between a backplane and its
// engine fail. [Memory] is an engine in memory that can fail in every way that
// a real one does; tests of hubs use it, also in testing/synctest bubbles.
package backplanetest
