// Build for embedding: relative base, hashed assets, nothing inlined, so that the page runs under `default-src 'self'`.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = process.env.PORTOLAN_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "./",
  plugins: [react()],
  build: { manifest: true, target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  // The host stays as the browser sent it: the server refuses a foreign origin.
  server: { proxy: { "/v1": { target: server, changeOrigin: false } } },
});
