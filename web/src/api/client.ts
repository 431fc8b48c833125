// One way to the server: same origin, session cookie, and every failure as a Problem with code and remedy.

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly remedy: string,
    readonly type: string,
  ) {
    super(detail === '' ? title : `${title} ${detail}`);
  }
}

let csrf = '';
let onSignedOut: () => void = () => {};

/** Told by whoever reads the session; needed for every request that changes something. */
export function rememberCsrf(value: string): void {
  csrf = value;
}

/** Called when the server no longer knows the session (401). */
export function whenSignedOut(callback: () => void): void {
  onSignedOut = callback;
}

async function problemOf(response: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    body = (await response.json()) as Record<string, unknown>;
  } catch {
    // Not JSON: something between us and the server answered; the status line has to do.
  }
  const text = (key: string): string => (typeof body[key] === 'string' ? (body[key] as string) : '');
  const title = text('title') || `${response.status} ${response.statusText}`.trim();
  return new Problem(response.status, text('code'), title, text('detail'), text('remedy'), text('type'));
}

let clockOffsetMs = 0;

/** The server's clock as far as its answers tell it: "the last hour" must not depend on a wall PC's wrong time. */
export const serverNow = (): number => Date.now() + clockOffsetMs;

function learnClock(response: Response): void {
  const told = Date.parse(response.headers.get('Date') ?? '');
  if (Number.isNaN(told)) return;
  const offset = told - Date.now();
  // The header has whole seconds and travels: small differences mean nothing.
  clockOffsetMs = Math.abs(offset) > 3000 ? offset : 0;
}

export interface CallOptions {
  method?: string;
  body?: unknown;
  accept?: string;
  contentType?: string;
  signal?: AbortSignal;
}

/** Errors: Problem; status 0 when the server cannot be reached. */
export async function call(path: string, options: CallOptions = {}): Promise<Response> {
  const method = options.method ?? 'GET';
  const headers: Record<string, string> = { Accept: options.accept ?? 'application/json' };
  let body: BodyInit | undefined;
  if (options.body !== undefined) {
    headers['Content-Type'] = options.contentType ?? 'application/json';
    body = options.contentType !== undefined ? (options.body as BodyInit) : JSON.stringify(options.body);
  }
  if (method !== 'GET') headers['X-CSRF-Token'] = csrf;
  let response: Response;
  try {
    response = await fetch(path, { method, headers, body, signal: options.signal, credentials: 'same-origin' });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, '', 'The server does not answer.', '', 'Check the network and that Lineshaft runs.', '');
  }
  learnClock(response);
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401 && !path.endsWith('/session')) onSignedOut();
  throw problem;
}

export async function get<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  return (await (await call(path, { signal })).json()) as Answer;
}

export async function send<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await call(path, { method, body });
  if (response.status === 204) return undefined as Answer;
  const text = await response.text();
  return (text === '' ? undefined : JSON.parse(text)) as Answer;
}

/** "?a=1&b=2" of what is set; "" when nothing is. */
export function query(parameters: Record<string, string | number | boolean | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== '') search.set(key, String(value));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}
