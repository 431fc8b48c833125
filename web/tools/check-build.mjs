// Fails when the build breaks a promise: first load over budget, a foreign host in a file, something inline in
// index.html that the content security policy would refuse, or a file without its compressed twins.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesBelow } from './compress.mjs';

const dist = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist');
const firstLoadBytesMax = 300 * 1024;
const totalBytesMax = 1536 * 1024;
// Names of things that are never fetched: XML namespaces, and the schema ids inside them.
const allowedHosts = [/^www\.w3\.org$/];
// Links to explanations inside error texts of the libraries; nothing requests them.
const allowedTexts = [
  /^https:\/\/react\.dev\/errors\//,
  /^https:\/\/(www\.)?i18next\.com/,
  /^https:\/\/mantine\.dev\/theming\//,
];

const failures = [];
const files = filesBelow(dist).filter((path) => !path.endsWith('.br') && !path.endsWith('.gz'));
const html = readFileSync(join(dist, 'index.html'), 'utf8');

for (const path of files) {
  if (!['.js', '.css', '.html', '.svg', '.json'].includes(extname(path))) continue;
  for (const twin of ['.br', '.gz'])
    if (!existsSync(path + twin)) failures.push(`${relative(dist, path)} has no ${twin}`);
  const text = readFileSync(path, 'utf8');
  for (const [url, host] of text.matchAll(/https?:\/\/([a-zA-Z0-9][a-zA-Z0-9.-]*)[^\s"'`)\\<>]*/g)) {
    const known = allowedHosts.some((it) => it.test(host)) || allowedTexts.some((it) => it.test(url));
    const ours = /^(localhost|127\.0\.0\.1)$/.test(host);
    if (!known && !ours) failures.push(`${relative(dist, path)} names the foreign host ${host} (${url.slice(0, 80)})`);
  }
}

if (/<style|\son[a-z]+=|<script(?![^>]*\bsrc=)/i.test(html)) failures.push('index.html has something inline');

// What the browser must have before the first screen: the entry and what it imports at once.
const first = [...html.matchAll(/(?:src|href)="\/([^"]+\.(?:js|css))"/g)].map((match) => match[1]);
const sizeOf = (name) => statSync(join(dist, `${name}.br`)).size;
const firstLoad = first.reduce((sum, name) => sum + sizeOf(name), 0);
const total = files.reduce((sum, path) => sum + statSync(existsSync(`${path}.br`) ? `${path}.br` : path).size, 0);
if (firstLoad > firstLoadBytesMax) failures.push(`first load is ${firstLoad} bytes, at most ${firstLoadBytesMax}`);
if (total > totalBytesMax) failures.push(`all files are ${total} bytes, at most ${totalBytesMax}`);

console.log(
  `first load ${(firstLoad / 1024).toFixed(1)} kB br of 300 kB (${first.length} files), all ${(total / 1024).toFixed(1)} kB br`,
);
for (const failure of failures) console.error(`check-build: ${failure}`);
process.exit(failures.length === 0 ? 0 : 1);
