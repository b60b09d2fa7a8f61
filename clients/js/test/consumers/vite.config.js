import process from "node:process";
import { defineConfig } from "vite";

export default defineConfig({
  preview: { host: "127.0.0.1", proxy: { "/events": { target: process.env.SERVER, changeOrigin: false } } },
});
