import { defineConfig } from 'vite';

export default defineConfig({
  server: {
    port: 5173,
    proxy: {
      '/events': 'http://127.0.0.1:8080',
      '/ws': { target: 'http://127.0.0.1:8080', changeOrigin: true, ws: true },
    },
  },
});
