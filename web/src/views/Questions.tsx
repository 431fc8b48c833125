// A question over the whole fleet: as a form or as JSON, with examples; the answer as a table and as a file.

import { Button, Menu, SegmentedControl, Textarea } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import { Problem } from '../api/client';
import { fleet } from '../api/dataEndpoints';
import type { FleetAnswer } from '../api/dataTypes';
import { formatNumber, formatShare, formatTime } from '../model/format';
import { setSearchParams, useRoute } from '../model/navigation';
import {
  type Cell,
  compareCells,
  examples,
  firstQuestion,
  isTimeColumn,
  parseQuestion,
  type Question,
  questionAsCli,
  questionAsCurl,
  questionText,
} from '../model/questions';
import { href } from '../model/router';
import { t } from '../model/text';
import { complain, done } from '../model/toasts';
import { copyText } from '../parts/Copy';
import { type Column, DataTable } from '../parts/DataTable';
import { Link } from '../parts/Link';
import { Offer, Page, Panel, StateMark } from '../parts/Page';
import { saveBlob } from '../parts/saveFile';
import { QuestionForm } from './QuestionForm';

/** What the address asks; the first question where it asks nothing that can be read. */
function asked(address: string | null): string {
  if (address === null) return questionText(firstQuestion);
  const parsed = parseQuestion(address);
  return parsed.question === null ? address : questionText(parsed.question);
}

export default function Questions() {
  const address = useRoute().search.get('ask');
  const [text, setText] = useState(() => asked(address));
  const [mode, setMode] = useState('form');
  const parsed = useMemo(() => parseQuestion(text), [text]);
  const answer = useMutation({
    mutationFn: (question: Question) => fleet.ask(question),
    // What is wrong is shown beside the question, not in a corner.
    onError: () => {},
  });
  const run = (): void => {
    if (parsed.question === null) return;
    setSearchParams({ ask: JSON.stringify(parsed.question) });
    answer.mutate(parsed.question);
  };
  // A link to a question answers it at once.
  const isFirst = useRef(address !== null);
  useEffect(() => {
    if (isFirst.current) run();
    isFirst.current = false;
  });
  const keyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    run();
  };
  return (
    <Page
      full
      title={t('nav.questions')}
      testId="questions"
      tools={
        <>
          <Examples onChoose={(question) => setText(questionText(question))} />
          <span className="ls-grow" />
          {parsed.question !== null && <CopyMenu question={parsed.question} />}
        </>
      }
    >
      <div className="ls-ask">
        <Panel
          title={t('questions.question')}
          className="ls-scroll"
          tools={
            <>
              <SegmentedControl
                aria-label={t('questions.as')}
                value={mode}
                onChange={setMode}
                data={[
                  { value: 'form', label: t('questions.form') },
                  { value: 'json', label: t('questions.json') },
                ]}
                data-testid="question-mode"
              />
              <Button
                size="compact-sm"
                onClick={run}
                disabled={parsed.question === null}
                loading={answer.isPending}
                title={t('questions.runKey')}
                data-testid="question-run"
              >
                {t('questions.run')}
              </Button>
            </>
          }
        >
          {/* biome-ignore lint/a11y/noStaticElementInteractions: only listens for Ctrl-Enter in the fields. */}
          <div className="ls-stack" onKeyDown={keyDown}>
            {mode === 'form' && parsed.question !== null ? (
              <QuestionForm question={parsed.question} onChange={(next) => setText(questionText(next))} />
            ) : (
              <Textarea
                aria-label={t('questions.json')}
                value={text}
                onChange={(event) => setText(event.currentTarget.value)}
                autosize
                minRows={14}
                maxRows={40}
                spellCheck={false}
                styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
                error={parsed.problem === null ? undefined : t('questions.notJson', { problem: parsed.problem })}
                data-testid="question-json"
              />
            )}
          </div>
        </Panel>
        <Answer question={answer.variables ?? null} answer={answer.data} error={answer.error} busy={answer.isPending} />
      </div>
    </Page>
  );
}

function Examples({ onChoose }: { onChoose: (question: Question) => void }) {
  return (
    <Menu position="bottom-start">
      <Menu.Target>
        <Button variant="default" data-testid="question-examples">
          {t('questions.examples')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => onChoose(firstQuestion)}>{t('questions.example.everything')}</Menu.Item>
        {(Object.keys(examples) as (keyof typeof examples)[]).map((key) => (
          <Menu.Item
            key={key}
            onClick={() => onChoose(examples[key] as unknown as Question)}
            data-testid={`example-${key}`}
          >
            {t(`questions.example.${key}`)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function CopyMenu({ question }: { question: Question }) {
  const copy = (text: string): void => {
    copyText(text).then(() => done(t('trend.copied')), complain);
  };
  return (
    <Menu>
      <Menu.Target>
        <Button variant="default">{t('trend.copyAs')}</Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => copy(questionAsCurl(window.location.origin, question))}>
          {t('trend.copyCurl')}
        </Menu.Item>
        <Menu.Item onClick={() => copy(questionAsCli(question))}>{t('trend.copyCli')}</Menu.Item>
        <Menu.Item onClick={() => copy(questionText(question))}>{t('questions.json')}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

interface AnswerProps {
  question: Question | null;
  answer: FleetAnswer | undefined;
  error: Error | null;
  busy: boolean;
}

function Answer({ question, answer, error, busy }: AnswerProps) {
  if (error !== null) return <Refusal error={error} />;
  if (answer === undefined || question === null)
    return (
      <Panel>
        <Offer title={t('questions.none')} text={t('questions.noneText')} />
      </Panel>
    );
  const download = (): void => {
    const name = `lineshaft-${new Date().toISOString().slice(0, 19).replace(/:/g, '')}.csv`;
    fleet.csv(question).then((blob) => saveBlob(name, blob), complain);
  };
  const { completeness } = answer;
  return (
    <Panel
      pad={false}
      className="ls-fill ls-answer"
      title={
        <span data-testid="question-rows">
          {t('questions.rows', { count: answer.rows.length })}
          {busy ? ' …' : ''}
        </span>
      }
      tools={
        <>
          <span className="ls-dim ls-small" data-testid="question-completeness">
            {t('questions.completeness', {
              series: completeness.series.toLocaleString('en-US'),
              samples: completeness.samples.toLocaleString('en-US'),
              good: formatShare(completeness.good),
              ms: formatNumber(Math.round(answer.took_ms * 10) / 10),
            })}
          </span>
          <Button
            variant="default"
            size="compact-sm"
            onClick={download}
            disabled={answer.rows.length === 0}
            data-testid="question-csv"
          >
            {t('questions.csv')}
          </Button>
        </>
      }
    >
      {(answer.more || completeness.damaged_blocks > 0) && (
        <div className="ls-note">
          {answer.more && <StateMark kind="part">{t('questions.more')}</StateMark>}
          {completeness.damaged_blocks > 0 && (
            <StateMark kind="bad">{t('dataQuality.damagedText', { count: completeness.damaged_blocks })}</StateMark>
          )}
        </div>
      )}
      {answer.rows.length === 0 ? (
        <Offer title={t('questions.noRows')} text={t('questions.noRowsText')} />
      ) : (
        <AnswerTable answer={answer} />
      )}
    </Panel>
  );
}

interface NumberedRow {
  id: string;
  cells: Cell[];
}

function AnswerTable({ answer }: { answer: FleetAnswer }) {
  const rows = useMemo(() => answer.rows.map((cells, i): NumberedRow => ({ id: String(i), cells })), [answer]);
  const columns = useMemo(
    () =>
      answer.columns.map((name, i): Column<NumberedRow> => {
        const isNumber = answer.rows.some((row) => typeof row[i] === 'number') && !isTimeColumn(answer, i);
        return {
          id: name,
          header: name,
          accessorFn: (row) => row.cells[i] ?? null,
          sortingFn: (a, b) => compareCells(a.original.cells[i] ?? null, b.original.cells[i] ?? null),
          meta: { cell: isNumber ? 'right' : '' },
          cell: ({ row }) => <CellText cell={row.original.cells[i] ?? null} isTime={isTimeColumn(answer, i)} />,
        };
      }),
    [answer],
  );
  // Other columns are another table: the order by an old one must not stay.
  return (
    <DataTable
      key={answer.columns.join('\n')}
      label={t('questions.answer')}
      rows={rows}
      columns={columns}
      rowId={(row) => row.id}
      rowTestId="question-row"
    />
  );
}

function CellText({ cell, isTime }: { cell: Cell; isTime: boolean }) {
  if (cell === null) return <span className="ls-dim">–</span>;
  if (isTime && typeof cell === 'number') return <span className="ls-num">{formatTime(cell)}</span>;
  if (typeof cell === 'number')
    return (
      <span className="ls-num" title={String(cell)}>
        {formatNumber(cell)}
      </span>
    );
  return <>{cell}</>;
}

function Refusal({ error }: { error: Error }) {
  const problem = error instanceof Problem ? error : null;
  return (
    <Panel>
      <div className="ls-stack" role="alert" data-testid="question-problem">
        <StateMark kind="bad">
          <strong>{problem?.title ?? error.message}</strong>{' '}
          {problem?.code ? (
            <Link className="ls-mono ls-small" href={`${href('errors')}#${problem.code}`}>
              {problem.code}
            </Link>
          ) : null}
        </StateMark>
        {problem?.detail ? <pre>{problem.detail}</pre> : null}
        {problem?.remedy ? <div className="ls-dim">{t('common.try', { remedy: problem.remedy })}</div> : null}
      </div>
    </Panel>
  );
}
