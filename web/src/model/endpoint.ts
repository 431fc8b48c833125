// How devices reach this server, as far as the page can know: its own host, and the ports the server tells.

import type { Status } from '../api/types';
import type { Endpoint } from './snippets';

/** 8883 of 8883, "8883", "127.0.0.1:8883" and "[::]:8883"; null of nothing. */
export function portOf(port: number | string | null | undefined): number | null {
  if (typeof port === 'number') return port > 0 ? port : null;
  const number = Number(/(\d+)$/.exec(port ?? '')?.[1] ?? Number.NaN);
  return number > 0 ? number : null;
}

export function localEndpoint(ports?: Status['ports']): Endpoint {
  return {
    host: window.location.hostname,
    origin: window.location.origin,
    mqttPort: ports === undefined ? 1883 : portOf(ports.mqtt),
    mqttsPort: portOf(ports?.mqtts),
  };
}
