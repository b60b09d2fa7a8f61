const app = 'http://127.0.0.1:8080';

module.exports = {
  devServer: {
    port: 8081,
    webSocketServer: { type: 'ws', options: { path: '/webpack' } }, // /ws is the application's
    client: { webSocketURL: { pathname: '/webpack' } },
    proxy: [
      {
        context: ['/events'],
        target: app,
        // End a stream on one side when it has ended on the other.
        onProxyReq: (toApp, req, res) => res.on('close', () => toApp.destroy()),
        onProxyRes: (fromApp, req, res) => fromApp.on('close', () => { if (!fromApp.complete) res.destroy(); }),
        // The application is away: come back in a second.
        onError: (error, req, res) => {
          if (!res.headersSent) res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
          res.end('retry: 1000\nevent: stream.end\ndata: {"reason":"unavailable"}\n\n');
        },
      },
      { context: ['/ws'], target: app, ws: true },
    ],
  },
};
