import { join } from 'node:path';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
// @ts-expect-error: a plain script, shared with tools/check-build.mjs.
import { compressFolder } from './tools/compress.mjs';

function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    closeBundle() {
      compressFolder(join(import.meta.dirname, 'dist'));
    },
  };
}

const server = process.env.LINESHAFT_SERVER ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [react(), compressed()],
  server: {
    host: '127.0.0.1',
    proxy: { '/api': { target: server, ws: true }, '/health': server, '/metrics': server },
  },
  build: {
    target: 'es2022',
    // The policy `default-src 'self'` refuses data: addresses, so nothing is inlined.
    assetsInlineLimit: 0,
    cssCodeSplit: true,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    rollupOptions: {
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  test: { environment: 'happy-dom', include: ['src/**/*.test.{ts,tsx}'], setupFiles: ['src/app/testSetup.ts'] },
});
