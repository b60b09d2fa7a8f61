import { defineConfig } from 'vite';

const app = 'http://127.0.0.1:8080';

export default defineConfig({
  server: {
    port: 5173,
    proxy: {
      '/events': { target: app, changeOrigin: false, configure: streams },
      '/ws': { target: app, changeOrigin: false, ws: true },
    },
  },
});

// streams cuts a stream that the application has cut, and answers for an
// application that is away: come back in a second.
function streams(proxy) {
  proxy.on('proxyRes', (fromApp, req, res) => fromApp.on('close', () => { if (!fromApp.complete) res.destroy(); }));
  proxy.on('error', (error, req, res) => {
    if (!res.headersSent) res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    res.end('retry: 1000\nevent: stream.end\ndata: {"reason":"unavailable"}\n\n');
  });
}
