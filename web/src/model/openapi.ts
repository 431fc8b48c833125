// What the API explorer needs of an OpenAPI description.

export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  enum?: unknown[];
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  required?: string[];
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  additionalProperties?: boolean | Schema;
  example?: unknown;
  default?: unknown;
}

export interface Parameter {
  $ref?: string;
  name: string;
  in: 'path' | 'query' | 'header' | 'cookie';
  required?: boolean;
  description?: string;
  schema?: Schema;
  example?: unknown;
}

interface Media {
  schema?: Schema;
  example?: unknown;
}

export interface Operation {
  key: string;
  method: string;
  path: string;
  tag: string;
  summary: string;
  description: string;
  parameters: Parameter[];
  body: { type: string; schema: Schema | null; example: unknown; required: boolean } | null;
  answers: { status: string; description: string; schema: Schema | null }[];
}

interface RawOperation {
  tags?: string[];
  summary?: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { $ref?: string; required?: boolean; content?: Record<string, Media> };
  responses?: Record<string, { $ref?: string; description?: string; content?: Record<string, Media> }>;
}

export type Description = Record<string, unknown>;

const methods = ['get', 'post', 'put', 'patch', 'delete'];

/** Follows "#/components/…"; what cannot be found stays as it is. */
export function resolve<Thing extends { $ref?: string }>(description: Description, thing: Thing): Thing {
  let current = thing;
  for (let depth = 0; current.$ref !== undefined && depth < 16; depth++) {
    let at: unknown = description;
    for (const part of current.$ref.replace(/^#\//, '').split('/')) {
      at = (at as Record<string, unknown> | undefined)?.[part.replace(/~1/g, '/').replace(/~0/g, '~')];
    }
    if (at === undefined) return current;
    current = at as Thing;
  }
  return current;
}

export function operationsOf(description: Description, otherTag: string): Operation[] {
  const paths = (description.paths ?? {}) as Record<string, Record<string, unknown>>;
  const operations: Operation[] = [];
  for (const [path, item] of Object.entries(paths)) {
    const shared = (item.parameters ?? []) as Parameter[];
    for (const method of methods) {
      const raw = item[method] as RawOperation | undefined;
      if (raw !== undefined) operations.push(operationOf(description, path, method, raw, shared, otherTag));
    }
  }
  return operations;
}

function operationOf(
  description: Description,
  path: string,
  method: string,
  raw: RawOperation,
  shared: Parameter[],
  otherTag: string,
): Operation {
  const body = raw.requestBody === undefined ? null : resolve(description, raw.requestBody);
  const [type, media] = Object.entries(body?.content ?? {})[0] ?? ['', undefined];
  return {
    key: `${method} ${path}`,
    method: method.toUpperCase(),
    path,
    tag: raw.tags?.[0] ?? otherTag,
    summary: raw.summary ?? '',
    description: raw.description ?? '',
    parameters: [...shared, ...(raw.parameters ?? [])].map((parameter) => resolve(description, parameter)),
    body:
      body === null
        ? null
        : {
            type: type || 'application/json',
            schema: media?.schema ?? null,
            example: media?.example,
            required: body.required ?? false,
          },
    answers: Object.entries(raw.responses ?? {}).map(([status, given]) => {
      const answer = resolve(description, given);
      const first = Object.values(answer.content ?? {})[0];
      return { status, description: answer.description ?? '', schema: first?.schema ?? null };
    }),
  };
}

const depthMax = 5;

/** A schema as indented text, near to how its JSON looks. */
export function schemaText(description: Description, given: Schema, indent = '', depth = 0): string {
  const schema = resolve(description, given);
  const name = given.$ref?.split('/').at(-1);
  if (depth > depthMax) return name ?? '…';
  const next = `${indent}  `;
  if (schema.allOf !== undefined) return schemaText(description, merged(description, schema.allOf), indent, depth);
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) return choices.map((one) => schemaText(description, one, indent, depth + 1)).join(' | ');
  if (schema.properties !== undefined) {
    const lines = Object.entries(schema.properties).map(([key, property]) => {
      const optional = schema.required?.includes(key) ? '' : '?';
      const text = resolve(description, property).description;
      return `${next}${key}${optional}: ${schemaText(description, property, next, depth + 1)}${text ? `  // ${text.split('\n')[0]}` : ''}`;
    });
    return `{\n${lines.join('\n')}\n${indent}}`;
  }
  if (schema.items !== undefined) return `[${schemaText(description, schema.items, indent, depth + 1)}]`;
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const type = Array.isArray(schema.type) ? schema.type.join(' | ') : (schema.type ?? 'any');
  return schema.format === undefined ? type : `${type} (${schema.format})`;
}

function merged(description: Description, parts: Schema[]): Schema {
  const result: Schema = { type: 'object', properties: {}, required: [] };
  for (const part of parts.map((one) => resolve(description, one))) {
    const from = part.allOf === undefined ? part : merged(description, part.allOf);
    Object.assign(result.properties ?? {}, from.properties);
    result.required?.push(...(from.required ?? []));
  }
  return result;
}

/** A body to begin with: the example, else a value of the right type for each required field. */
export function sampleOf(description: Description, given: Schema | null, depth = 0): unknown {
  if (given === null || depth > depthMax) return null;
  const schema = resolve(description, given);
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.allOf !== undefined) return sampleOf(description, merged(description, schema.allOf), depth);
  const choice = schema.oneOf?.[0] ?? schema.anyOf?.[0];
  if (choice !== undefined) return sampleOf(description, choice, depth + 1);
  if (schema.properties !== undefined) {
    const keys = schema.required?.length ? schema.required : Object.keys(schema.properties);
    return Object.fromEntries(
      keys.map((key) => [key, sampleOf(description, schema.properties?.[key] ?? null, depth + 1)]),
    );
  }
  if (schema.items !== undefined) return [sampleOf(description, schema.items, depth + 1)];
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  return { string: '', number: 0, integer: 0, boolean: false }[type ?? ''] ?? null;
}
