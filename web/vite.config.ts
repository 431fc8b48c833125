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

/** Everything the entry imports at once, found once per build. */
function firstModules(): (id: string, context: ModuleGraph) => string | null {
  let first: Set<string> | null = null;
  const walk = (id: string, context: ModuleGraph, found: Set<string>): void => {
    if (found.has(id)) return;
    found.add(id);
    for (const next of context.getModuleInfo(id)?.importedIds ?? []) walk(next, context, found);
  };
  return (id, context) => {
    if (first === null) {
      first = new Set();
      walk(entry, context, first);
    }
    return first.has(id) ? 'first' : null;
  };
}

interface ModuleGraph {
  getModuleInfo: (id: string) => { importedIds: readonly string[] } | null;
}

const entry = join(import.meta.dirname, 'src/app/main.tsx');
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
        // One file for the first screen: many small ones compress worse and are asked for one by one.
        codeSplitting: { groups: [{ name: firstModules() }] },
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  test: { environment: 'happy-dom', include: ['src/**/*.test.{ts,tsx}'], setupFiles: ['src/app/testSetup.ts'] },
});
