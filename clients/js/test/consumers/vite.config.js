import process from "node:process";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

// The examples are built, too, each as a page of its own.
const pages = ["index.html", "react.html", "svelte.html", "vue.html", "examples/htmx.html"];
const target = process.env.SERVER;

export default defineConfig({
  plugins: [svelte(), vue()],
  build: { rolldownOptions: { input: pages } },
  preview: { host: "127.0.0.1", proxy: { "/events": target, "/texts": target } },
});
