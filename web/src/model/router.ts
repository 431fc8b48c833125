// The address bar is the state: every screen is a route with typed parameters, read from and written to the URL.

export const routes = {
  overview: '/',
  claim: '/claim',
  trend: '/trend',
  alarms: '/alarms',
  devices: '/devices',
  addDevice: '/devices/new',
  device: '/devices/:id',
  assets: '/assets',
  quality: '/quality',
  storage: '/storage',
  transfer: '/transfer',
  questions: '/questions',
  users: '/users',
  audit: '/audit',
  system: '/system',
  api: '/docs/api',
  errors: '/docs/errors',
} as const;

export type RouteName = keyof typeof routes;

export interface Route {
  name: RouteName | 'unknown';
  params: Record<string, string>;
  search: URLSearchParams;
  hash: string;
}

// The first that fits wins, so /devices/new stands before /devices/:id.
export function parseRoute(href: string): Route {
  const url = new URL(href, 'http://localhost');
  const path = url.pathname.length > 1 ? url.pathname.replace(/\/+$/, '') : url.pathname;
  for (const [name, pattern] of Object.entries(routes)) {
    const params = matchPath(pattern, path);
    if (params !== null) return { name: name as RouteName, params, search: url.searchParams, hash: url.hash.slice(1) };
  }
  return { name: 'unknown', params: {}, search: url.searchParams, hash: url.hash.slice(1) };
}

function matchPath(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split('/');
  const have = path.split('/');
  if (want.length !== have.length) return null;
  const params: Record<string, string> = {};
  for (let i = 0; i < want.length; i++) {
    const part = want[i] ?? '';
    const given = have[i] ?? '';
    if (part.startsWith(':')) params[part.slice(1)] = decodeURIComponent(given);
    else if (part !== given) return null;
  }
  return params;
}

type SearchValue = string | number | boolean | string[] | null | undefined;

/** Unset, empty and false parameters are left out; lists repeat the parameter. */
export function href(
  name: RouteName,
  params: Record<string, string> = {},
  search: Record<string, SearchValue> = {},
): string {
  const path = routes[name].replace(/:([a-z]+)/g, (_, key: string) => encodeURIComponent(params[key] ?? ''));
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    if (value === null || value === undefined || value === '' || value === false) continue;
    if (Array.isArray(value)) for (const item of value) query.append(key, item);
    else query.set(key, String(value));
  }
  // Readable addresses: paths and relative times keep their '/', ':' and ','.
  const text = query.toString().replace(/%2F/g, '/').replace(/%3A/g, ':').replace(/%2C/g, ',').replace(/%7E/g, '~');
  return text === '' ? path : `${path}?${text}`;
}

export const trendHref = (tags: string[], range?: string): string => href('trend', {}, { tag: tags, range });
