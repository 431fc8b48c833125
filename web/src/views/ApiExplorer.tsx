// The interface description of the server, to read and to try, without any other host.

import { Button, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useMemo, useState } from 'react';
import { call, Problem } from '../api/client';
import { system } from '../api/endpoints';
import { useSearchParam } from '../model/navigation';
import { type Description, type Operation, operationsOf, sampleOf, schemaText } from '../model/openapi';
import { t } from '../model/text';
import { matches } from '../model/tree';
import { CopyButton } from '../parts/Copy';
import { Offer, Page, Panel, Waiting } from '../parts/Page';

export default function ApiExplorer() {
  const description = useQuery({
    queryKey: ['openapi'],
    queryFn: system.openapi,
    staleTime: Number.POSITIVE_INFINITY,
  }).data;
  const [search, setSearch] = useSearchParam('q');
  const [open, setOpen] = useSearchParam('op');
  const groups = useMemo(() => {
    if (description === undefined) return [];
    const found = operationsOf(description, t('api.other')).filter(
      (one) => search === '' || matches(`${one.key} ${one.summary} ${one.tag}`, search),
    );
    const byTag = new Map<string, Operation[]>();
    for (const one of found) byTag.set(one.tag, [...(byTag.get(one.tag) ?? []), one]);
    return [...byTag];
  }, [description, search]);
  if (description === undefined) return <Waiting />;
  return (
    <Page
      title={t('api.title')}
      testId="api-explorer"
      tools={
        <>
          <TextInput
            data-search
            aria-label={t('api.search')}
            placeholder={t('api.search')}
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
          <span className="ls-grow" />
          <a href="/api/v1/openapi.json">{t('api.download')}</a>
        </>
      }
    >
      {groups.length === 0 && <Offer title={t('api.none')} text={t('api.noneText')} />}
      {groups.map(([tag, operations]) => (
        <Panel key={tag} title={tag} pad={false}>
          {operations.map((one) => (
            <OperationRow
              key={one.key}
              operation={one}
              description={description}
              isOpen={open === one.key}
              onToggle={() => setOpen(open === one.key ? null : one.key)}
            />
          ))}
        </Panel>
      ))}
    </Page>
  );
}

interface RowProps {
  operation: Operation;
  description: Description;
  isOpen: boolean;
  onToggle: () => void;
}

function OperationRow({ operation, description, isOpen, onToggle }: RowProps) {
  return (
    <div style={{ borderBottom: '1px solid var(--ls-line)' }}>
      <button
        type="button"
        className="ls-operation"
        aria-expanded={isOpen}
        onClick={onToggle}
        data-testid={`op-${operation.key}`}
      >
        <span className="ls-method">{operation.method}</span>
        <span className="ls-mono">{operation.path}</span>
        <span className="ls-dim ls-grow ls-cut">{operation.summary}</span>
      </button>
      {isOpen && <OperationMore operation={operation} description={description} />}
    </div>
  );
}

function OperationMore({ operation, description }: { operation: Operation; description: Description }) {
  return (
    <div className="ls-cols" style={{ padding: '4px 12px 14px' }}>
      <div className="ls-stack">
        {operation.description && <div>{operation.description}</div>}
        {operation.body?.schema && (
          <div>
            <h3>{t('api.body')}</h3>
            <pre>{schemaText(description, operation.body.schema)}</pre>
          </div>
        )}
        <div>
          <h3>{t('api.answers')}</h3>
          {operation.answers.map((answer) => (
            <div key={answer.status} style={{ marginTop: 6 }}>
              <strong className="ls-num">{answer.status}</strong> <span className="ls-dim">{answer.description}</span>
              {answer.schema !== null && <pre>{schemaText(description, answer.schema)}</pre>}
            </div>
          ))}
        </div>
      </div>
      <TryIt operation={operation} description={description} />
    </div>
  );
}

interface TryAnswer {
  status: number;
  ms: number;
  text: string;
}

const shownCharactersMax = 20_000;

function TryIt({ operation, description }: { operation: Operation; description: Description }) {
  const [values, setValues] = useState<Record<string, string>>({});
  const [body, setBody] = useState(() =>
    operation.body === null
      ? ''
      : JSON.stringify(operation.body.example ?? sampleOf(description, operation.body.schema), null, 2),
  );
  const address = addressOf(operation, values);
  const send = useMutation({
    mutationFn: async (): Promise<TryAnswer> => {
      const start = performance.now();
      const finish = (status: number, text: string): TryAnswer => ({
        status,
        ms: Math.round(performance.now() - start),
        text,
      });
      try {
        const isJson = operation.body?.type.includes('json') ?? true;
        const given = operation.body === null || body === '' ? undefined : isJson ? JSON.parse(body) : body;
        const response = await call(address, {
          method: operation.method,
          body: given,
          contentType: isJson ? undefined : operation.body?.type,
        });
        return finish(response.status, pretty(await response.text()));
      } catch (error) {
        // A refusal is an answer too.
        if (error instanceof Problem && error.status > 0)
          return finish(error.status, [error.code, error.title, error.detail, error.remedy].filter(Boolean).join('\n'));
        throw error;
      }
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    send.mutate();
  };
  const curl = `curl -X ${operation.method} -H "Authorization: Bearer $LINESHAFT_TOKEN"${
    operation.body === null ? '' : ` -H 'Content-Type: ${operation.body.type}' -d '${body.replace(/'/g, `'\\''`)}'`
  } '${window.location.origin}${address}'`;
  return (
    <form className="ls-stack" onSubmit={submit}>
      <h3>{t('api.tryIt')}</h3>
      {operation.parameters
        .filter((parameter) => parameter.in === 'path' || parameter.in === 'query')
        .map((parameter) => (
          <TextInput
            key={parameter.name}
            label={`${parameter.name}${parameter.required ? ` (${t('api.required')})` : ''}`}
            description={parameter.description}
            value={values[parameter.name] ?? ''}
            onChange={(event) => setValues({ ...values, [parameter.name]: event.currentTarget.value })}
          />
        ))}
      {operation.body !== null && (
        <Textarea
          className="ls-mono"
          label={t('api.body')}
          rows={8}
          value={body}
          onChange={(event) => setBody(event.currentTarget.value)}
        />
      )}
      <div className="ls-row">
        <Button type="submit" loading={send.isPending} data-testid="api-send">
          {t('api.send')}
        </Button>
        <CopyButton text={curl} label={t('api.asCurl')} />
        <span className="ls-mono ls-small ls-dim ls-cut">{address}</span>
      </div>
      {send.data !== undefined && (
        <div data-testid="api-answer">
          <strong>{t('api.answer', { status: send.data.status, ms: send.data.ms })}</strong>
          <pre className="ls-snippet" style={{ maxHeight: 360, overflow: 'auto' }}>
            {send.data.text.slice(0, shownCharactersMax)}
          </pre>
        </div>
      )}
    </form>
  );
}

function addressOf(operation: Operation, values: Record<string, string>): string {
  const path = operation.path.replace(/\{(\w+)\}/g, (whole, name: string) =>
    values[name] ? encodeURIComponent(values[name]) : whole,
  );
  const search = new URLSearchParams();
  for (const parameter of operation.parameters) {
    const value = values[parameter.name];
    if (parameter.in === 'query' && value) search.set(parameter.name, value);
  }
  const text = search.toString();
  return text === '' ? path : `${path}?${text}`;
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
