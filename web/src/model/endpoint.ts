// How devices reach this server, as far as the page can know: its own host, and the ports the server tells.

import type { Status } from '../api/types';
import type { Endpoint } from './snippets';

export function localEndpoint(ports?: Status['ports']): Endpoint {
  return {
    host: window.location.hostname,
    origin: window.location.origin,
    mqttPort: ports === undefined ? 1883 : (ports.mqtt ?? null),
    mqttsPort: ports?.mqtts ?? null,
  };
}
