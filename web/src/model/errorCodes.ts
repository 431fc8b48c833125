// Reads api/errors.toml, the one source of everything that can go wrong. Only what that file uses of TOML.

export interface ErrorCode {
  code: string;
  name: string;
  says: string;
  remedy: string;
  status: number;
  retry: boolean;
}

export function parseErrorCodes(toml: string): ErrorCode[] {
  const codes: ErrorCode[] = [];
  for (const block of toml.split(/^\[\[error\]\]\s*$/m).slice(1)) {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const match = /^(\w+)\s*=\s*("(?:[^"\\]|\\.)*"|[^#]+)/.exec(line);
      if (match !== null) fields.set(match[1] ?? '', (match[2] ?? '').trim());
    }
    const text = (key: string): string => {
      const value = fields.get(key) ?? '';
      return value.startsWith('"') ? (JSON.parse(value) as string) : value;
    };
    codes.push({
      code: `LS-${text('number')}`,
      name: text('name'),
      says: text('says'),
      remedy: text('remedy'),
      status: Number(text('http')),
      retry: text('retry') === 'true',
    });
  }
  return codes.sort((a, b) => a.code.localeCompare(b.code, undefined, { numeric: true }));
}
