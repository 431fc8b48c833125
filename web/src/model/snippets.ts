// The same request in other words: what "copy as…" puts on the clipboard.

import { type HistoryRequest, historyAddress } from '../api/endpoints';

const quoted = (text: string): string => `'${text.replace(/'/g, `'\\''`)}'`;

export function historyAsCurl(origin: string, request: HistoryRequest): string {
  const address = quoted(origin + historyAddress(request));
  return `curl -H "Authorization: Bearer $LINESHAFT_TOKEN" -H 'Accept: text/csv' ${address}`;
}

export function historyAsCli(request: HistoryRequest): string {
  const tags = request.tags.map(quoted).join(' ');
  const aggregates = request.aggregates ? ` --aggregates ${request.aggregates.join(',')}` : '';
  const more = aggregates + (request.knownAt ? ` --known-at ${quoted(request.knownAt)}` : '');
  return `lineshaft query ${tags} --from ${quoted(String(request.from))} --to ${quoted(String(request.to))}${more} --output csv`;
}

export function historyAsPython(origin: string, request: HistoryRequest): string {
  return [
    'import os, csv, io, urllib.request',
    '',
    `address = ${JSON.stringify(origin + historyAddress(request))}`,
    'headers = {"Authorization": "Bearer " + os.environ["LINESHAFT_TOKEN"], "Accept": "text/csv"}',
    'with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:',
    '    rows = list(csv.DictReader(io.TextIOWrapper(answer, "utf-8")))',
    'print(len(rows), "samples;", rows[:3])',
    '',
  ].join('\n');
}

export interface Endpoint {
  host: string;
  mqttPort: number | null;
  mqttsPort: number | null;
  origin: string;
}

export function mqttLine(endpoint: Endpoint, device: string, token: string): string {
  const tls = endpoint.mqttsPort !== null && endpoint.host !== 'localhost' && endpoint.host !== '127.0.0.1';
  const port = tls ? endpoint.mqttsPort : (endpoint.mqttPort ?? 1883);
  const security = tls ? ' --capath /etc/ssl/certs' : '';
  return `mosquitto_pub -h ${endpoint.host} -p ${port}${security} -u device -P ${quoted(token)} -t ${quoted(`${device}/temperature`)} -m 21.5`;
}

export function httpLine(endpoint: Endpoint, device: string, token: string): string {
  const body = JSON.stringify({ device, values: { temperature: 21.5 } });
  return `curl -X POST ${quoted(`${endpoint.origin}/api/v1/telemetry`)} -H ${quoted(`Authorization: Bearer ${token}`)} -H 'Content-Type: application/json' -d ${quoted(body)}`;
}

export function telegrafConfig(endpoint: Endpoint, token: string): string {
  return [
    '[[outputs.influxdb_v2]]',
    `  urls = [${JSON.stringify(endpoint.origin)}]`,
    `  token = ${JSON.stringify(token)}`,
    '  organization = "lineshaft"',
    '  bucket = "lineshaft"',
    '',
  ].join('\n');
}

export type ExportFormat = 'csv' | 'jsonl' | 'parquet';

/** The stream of the same tags and time. */
export function exportAddress(request: HistoryRequest, format: ExportFormat, resolution: string): string {
  const search = new URLSearchParams();
  for (const tag of request.tags) search.append('tag', tag);
  search.set('from', String(request.from));
  search.set('to', String(request.to));
  search.set('format', format);
  search.set('resolution', resolution);
  return `/api/v1/export?${search}`;
}
