// The trend workbench: tags, time and what can be done with both.

import { ActionIcon, Button, Popover, SegmentedControl, useMantineColorScheme } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { serverNow } from '../api/client';
import { quality as qualityApi } from '../api/dataEndpoints';
import type { Completeness } from '../api/dataTypes';
import { type HistoryRequest, history, values as valuesApi } from '../api/endpoints';
import type { CurrentValue, LimitKind } from '../api/types';
import { type Aggregate, aggregateParams, aggregatesOf, aggregateUnit, columnsFor, hasBand } from '../model/aggregates';
import { roundThreshold } from '../model/alarms';
import { decodeColumns, type Series } from '../model/columns';
import { formatAge, formatTime } from '../model/format';
import { live } from '../model/live';
import { missingSpans } from '../model/missing';
import { setSearchParams, useRoute } from '../model/navigation';
import { penColor } from '../model/pens';
import { useRules } from '../model/queries';
import { useMay } from '../model/roles';
import { t } from '../model/text';
import {
  absoluteRange,
  durationMs,
  isLiveRange,
  rangeSince,
  ranges,
  resolveRange,
  type TimeRange,
} from '../model/timeRange';
import { complain } from '../model/toasts';
import { panned, statsOf, zoomed } from '../model/trendData';
import { type Pen, useTrendHistory } from '../model/trendHistory';
import { KnownThenControl, KnownThenMark } from '../parts/KnownThen';
import { useKeys } from '../parts/keys';
import { Page, Panel } from '../parts/Page';
import { RangeForm } from '../parts/RangeForm';
import { RuleDialog } from '../parts/RuleDialog';
import { SpotMenu } from '../parts/SpotMenu';
import { TagPicker } from '../parts/TagPicker';
import { type ChartSpot, TrendChart } from '../parts/TrendChart';
import { TrendStrip } from '../parts/TrendStrip';
import type { TrendLimit, TrendTag } from '../parts/trendOptions';
import { TrendExport } from './TrendExport';
import { TrendReadout } from './TrendReadout';

const ChangeData = lazy(() => import('./ChangeData'));
const StatesDialog = lazy(() => import('./StatesDialog'));

const usualRange = '1h';
const completenessTagsMax = 20;
const none: string[] = [];
const settleMs = 250;

/** The time now, again and again while the range is live; often enough that the line moves by about a pixel. */
function useNow(isLive: boolean, spanMs: number): number {
  const [nowMs, setNowMs] = useState(serverNow);
  useEffect(() => {
    if (!isLive) return;
    setNowMs(serverNow());
    const timer = setInterval(() => setNowMs(serverNow()), Math.min(Math.max(spanMs / 600, 1000), 30_000));
    return () => clearInterval(timer);
  }, [isLive, spanMs]);
  return nowMs;
}

/** Ids, units and types; a path that does not exist is complained about once and left out. */
function useTagInfo(paths: string[]): CurrentValue[] {
  const info = useQuery({
    queryKey: ['trend-tags', paths],
    queryFn: async () => {
      const results = await Promise.allSettled(paths.map((path) => valuesApi.of([path])));
      for (const result of results) if (result.status === 'rejected') complain(result.reason);
      const items = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
      live.seed(items);
      return items;
    },
    enabled: paths.length > 0,
    staleTime: 60_000,
    placeholderData: keepPreviousData,
  });
  return useMemo(() => (info.data ?? []).filter((item) => paths.includes(item.path)), [info.data, paths]);
}

const noneMissing = new Map<string, Completeness>();

/** What is missing of the range and why. Asked for in steps: a live range moves, its gaps seldom do. */
function useCompleteness(paths: string[], range: TimeRange): Map<string, Completeness> {
  const step = Math.max(10_000, (range.toMs - range.fromMs) / 100);
  const from = Math.floor(range.fromMs / step) * step;
  const to = Math.min(Math.ceil(range.toMs / step) * step, Math.ceil(serverNow() / 1000) * 1000);
  const asked = { from: new Date(from).toISOString(), to: new Date(Math.floor(to / step) * step || to).toISOString() };
  const answer = useQuery({
    queryKey: ['completeness', paths, asked],
    queryFn: ({ signal }) => qualityApi.completeness(paths, asked.from, asked.to, signal),
    enabled: paths.length > 0 && paths.length <= completenessTagsMax && asked.from < asked.to,
    placeholderData: keepPreviousData,
    staleTime: 10_000,
    gcTime: 20_000,
    // The chart stands without it.
    meta: { quiet: true },
  });
  return paths.length === 0 ? noneMissing : (answer.data ?? noneMissing);
}

/** Without a range in the address: all of young data, a day of old. */
function useUsualRange(paths: string[], isNeeded: boolean): string {
  const first = useQuery({
    queryKey: ['trend-first', paths],
    queryFn: async () => {
      const series = decodeColumns(
        await history.columns({ tags: paths, from: 'now-24h', to: 'now', width: 100, resolution: 'auto' }),
      );
      return Math.min(...series.map((one) => one.times[0] ?? Number.POSITIVE_INFINITY));
    },
    enabled: isNeeded && paths.length > 0,
    staleTime: Number.POSITIVE_INFINITY,
    meta: { quiet: true },
  }).data;
  return first === undefined || !Number.isFinite(first) ? usualRange : rangeSince(first, serverNow());
}

export default function Trend() {
  const route = useRoute();
  const search = route.search.toString();
  // The text of the search stands for its parameters.
  const paths = useMemo(() => [...new Set(route.search.getAll('tag'))], [search]);
  const info = useTagInfo(paths);
  const known = useMemo(() => info.map((item) => item.path), [info]);
  const chosen = useMemo(() => aggregatesOf(route.search.getAll('agg')), [search]);
  const knownAt = route.search.get('known') ?? '';
  const rangeGiven = route.search.get('range');
  const rangeFound = useUsualRange(known, rangeGiven === null);
  const rangeText = rangeGiven ?? rangeFound;
  const isLive = isLiveRange(rangeText);
  const nowMs = useNow(isLive, durationMs(rangeText) ?? 3_600_000);
  const asked = useMemo(
    () => resolveRange(rangeText, nowMs) ?? { fromMs: nowMs - 3_600_000, toMs: nowMs },
    [rangeText, nowMs],
  );
  // While a hand moves the chart, the address stays; it follows when the hand has let go.
  const [held, setHeld] = useState<TimeRange | null>(null);
  const range = held ?? asked;
  const [width, setWidth] = useState(0);
  // Counts changes of the data: what is shown is read again.
  const [changes, setChanges] = useState(0);
  const pens = useMemo(
    () => known.map((path): Pen => ({ path, aggregate: chosen.get(path) ?? 'mean' })),
    [known, chosen, changes],
  );
  const series = useTrendHistory(pens, asked, width, isLive, knownAt);
  // What is known of gaps is known now: beside the past as it was known then it would mislead.
  const completeness = useCompleteness(knownAt === '' ? known : none, asked);
  const missing = useMemo(
    () => new Map([...completeness].map(([path, one]) => [path, missingSpans(one)])),
    [completeness],
  );
  const [inset, setInset] = useState({ left: 0, right: 0 });
  const [changing, setChanging] = useState<TimeRange | null>(null);
  const [states, setStates] = useState<string | null>(null);
  const rules = useRules(paths.length > 0).data;
  const isDark = useMantineColorScheme().colorScheme === 'dark';
  const tags = useMemo(
    () =>
      paths.flatMap((path, i): TrendTag[] => {
        const item = info.find((it) => it.path === path);
        if (item === undefined) return [];
        const aggregate = chosen.get(path) ?? 'mean';
        return [{ path, unit: item.unit, type: item.type, color: penColor(i, isDark), aggregate }];
      }),
    [paths, info, isDark, chosen],
  );
  const limits = useMemo(
    () =>
      (rules ?? [])
        .filter((rule) => rule.enabled && paths.includes(rule.tag_path))
        .flatMap((rule): TrendLimit[] => rule.limits.map((limit) => ({ path: rule.tag_path, limit }))),
    [rules, paths],
  );
  const [cursorMs, setCursorMs] = useState<number | null>(null);
  const [spot, setSpot] = useState<ChartSpot | null>(null);
  const [proposal, setProposal] = useState<{ path: string; kind: LimitKind; threshold: number; span: number } | null>(
    null,
  );
  const [rangeOpen, setRangeOpen] = useState(false);
  const mayEdit = useMay('engineer');
  const settle = useRef<ReturnType<typeof setTimeout>>(undefined);

  const setRange = (next: TimeRange): void => setSearchParams({ range: absoluteRange(next) });
  const onRange = (next: TimeRange, isFinal: boolean): void => {
    setHeld(next);
    clearTimeout(settle.current);
    settle.current = setTimeout(
      () => {
        setRange(next);
        setHeld(null);
      },
      isFinal ? 0 : settleMs * 4,
    );
  };
  useEffect(() => () => clearTimeout(settle.current), []);
  useKeys(useMemo(() => ({ '.': () => setRangeOpen(true) }), []));
  const setTags = (next: string[]): void =>
    setSearchParams({ tag: next, agg: aggregateParams(new Map([...chosen].filter(([path]) => next.includes(path)))) });
  const setAggregate = (path: string, aggregate: Aggregate): void =>
    setSearchParams({ agg: aggregateParams(new Map(chosen).set(path, aggregate)) });
  const setKnownAt = (next: string): void => setSearchParams({ known: next });

  const propose = (path: string, direction: 'above' | 'below', value?: number): void => {
    const one = series.get(path);
    const stats = one === undefined ? null : statsOf(one, range.fromMs, range.toMs);
    const span = stats === null || Number.isNaN(stats.max) ? 0 : stats.max - stats.min;
    const from = value ?? (direction === 'above' ? (stats?.max ?? 0) + span * 0.05 : (stats?.min ?? 0) - span * 0.05);
    const threshold = roundThreshold(from, span, direction);
    setProposal({ path, kind: freeKind(limits, path, direction, threshold), threshold, span });
  };
  const time = isLive
    ? { from: `now-${rangeText}`, to: 'now' }
    : { from: new Date(range.fromMs).toISOString(), to: new Date(range.toMs).toISOString() };
  // What "as shown" means to a file or a command: one set of aggregates for all of its tags.
  const firstAggregate = pens.find((pen) => pen.aggregate !== 'mean')?.aggregate ?? 'mean';
  const request: HistoryRequest = {
    tags: known,
    ...time,
    width: width || 1000,
    resolution: 'auto',
    aggregates: columnsFor(firstAggregate) ?? undefined,
    knownAt: knownAt || undefined,
  };
  const subject = proposal === null ? undefined : info.find((item) => item.path === proposal.path);

  return (
    <Page
      full
      title={t('trend.title')}
      testId="trend"
      tools={
        <>
          <AddTags paths={paths} onChange={setTags} />
          <span className="ls-grow" />
          <RangeControl text={rangeText} range={range} isOpen={rangeOpen} onOpen={setRangeOpen} />
          <ActionIcon
            className="ls-wide-only"
            aria-label={t('trend.zoomOut')}
            title={t('trend.zoomOut')}
            onClick={() => setRange(zoomed(range, (range.fromMs + range.toMs) / 2, 2))}
          >
            −
          </ActionIcon>
          <ActionIcon
            className="ls-wide-only"
            aria-label={t('trend.zoomIn')}
            title={t('trend.zoomIn')}
            onClick={() => setRange(zoomed(range, (range.fromMs + range.toMs) / 2, 0.5))}
          >
            +
          </ActionIcon>
          <ActionIcon className="ls-wide-only" aria-label="←" onClick={() => setRange(panned(range, -0.5))}>
            ←
          </ActionIcon>
          <ActionIcon className="ls-wide-only" aria-label="→" onClick={() => setRange(panned(range, 0.5))}>
            →
          </ActionIcon>
          {paths.length > 0 && (
            <TrendExport
              request={request}
              resolution={shownResolution(series)}
              isSpecial={firstAggregate !== 'mean' || knownAt !== ''}
            />
          )}
        </>
      }
    >
      {paths.length === 0 ? (
        <Panel title={t('trend.noTags')}>
          <p className="ls-dim" style={{ marginTop: 0 }}>
            {t('trend.noTagsText')}
          </p>
          <TagPicker chosen={paths} onChange={setTags} />
        </Panel>
      ) : (
        <>
          <Panel pad={false} className={`ls-fill ls-stack ${knownAt === '' ? '' : 'ls-then'}`}>
            {knownAt !== '' && <KnownThenMark knownAt={knownAt} onChange={setKnownAt} />}
            <div className="ls-row ls-small ls-dim" style={{ padding: '4px 10px 0' }}>
              <span data-testid="trend-resolution">{resolutionText(series)}</span>
              <span className="ls-grow" />
              <KnownThenControl knownAt={knownAt} onChange={setKnownAt} />
              {mayEdit && knownAt === '' && (
                <Button
                  variant="default"
                  size="compact-xs"
                  className="ls-wide-only"
                  onClick={() => setChanging(range)}
                  disabled={info.length === 0}
                  data-testid="trend-change"
                >
                  {t('change.button')}
                </Button>
              )}
              <span>
                {formatTime(range.fromMs)} – {isLive && held === null ? t('trend.live') : formatTime(range.toMs)}
              </span>
            </div>
            <TrendChart
              tags={tags}
              series={series}
              range={range}
              limits={limits}
              missing={missing}
              onRange={onRange}
              onMenu={setSpot}
              onCursor={setCursorMs}
              onWidth={setWidth}
              onPlot={(left, right) =>
                setInset((before) => (before.left === left && before.right === right ? before : { left, right }))
              }
              onMark={(marked) => mayEdit && knownAt === '' && setChanging(marked)}
            />
            {knownAt === '' && <TrendStrip tags={tags} completeness={completeness} range={range} inset={inset} />}
          </Panel>
          <Panel pad={false} className="ls-trend-table">
            <TrendReadout
              tags={tags}
              series={series}
              range={range}
              cursorMs={cursorMs}
              isThen={knownAt !== ''}
              onAggregate={setAggregate}
              onStates={setStates}
              onRemove={(path) => setTags(paths.filter((it) => it !== path))}
              onAlarm={mayEdit ? propose : null}
            />
          </Panel>
        </>
      )}
      {spot !== null && (
        <SpotMenu
          spot={spot}
          unit={spotUnit(tags, spot.path)}
          onAlarm={
            mayEdit && hasBand(chosen.get(spot.path) ?? 'mean')
              ? (direction) => propose(spot.path, direction, spot.value)
              : null
          }
          onOnly={tags.length > 1 ? () => setTags([spot.path]) : null}
          onChangeData={mayEdit && knownAt === '' ? () => setChanging(range) : null}
          onClose={() => setSpot(null)}
        />
      )}
      <Suspense fallback={null}>
        {changing !== null && info.length > 0 && (
          <ChangeData
            tags={info}
            range={changing}
            onClose={() => setChanging(null)}
            onDone={() => setChanges(changes + 1)}
          />
        )}
        {states !== null && (
          <StatesDialog path={states} range={range} knownAt={knownAt} onClose={() => setStates(null)} />
        )}
      </Suspense>
      {proposal !== null && subject !== undefined && (
        <RuleDialog
          tag={subject}
          rule={rules?.find((rule) => rule.tag_path === proposal.path) ?? null}
          proposal={proposal}
          onClose={() => setProposal(null)}
        />
      )}
    </Page>
  );
}

/** H (or L) unless it is set already on the inner side: then HH (or LL). */
function freeKind(limits: TrendLimit[], path: string, direction: 'above' | 'below', threshold: number): LimitKind {
  const inner = limits.find((it) => it.path === path && it.limit.kind === (direction === 'above' ? 'H' : 'L'));
  if (direction === 'above') return inner !== undefined && threshold > inner.limit.threshold ? 'HH' : 'H';
  return inner !== undefined && threshold < inner.limit.threshold ? 'LL' : 'L';
}

function spotUnit(tags: TrendTag[], path: string): string {
  const tag = tags.find((it) => it.path === path);
  return tag === undefined ? '' : aggregateUnit(tag.aggregate, tag.unit);
}

/** The coarsest of what is drawn: one file has one resolution. */
function shownResolution(series: Map<string, Series>): string {
  const coarsest = Math.max(0, ...[...series.values()].map((one) => (one.kind === 'raw' ? 0 : one.resolutionMs)));
  return coarsest === 0 ? 'raw' : coarsest % 1000 === 0 ? `${coarsest / 1000}s` : `${coarsest}ms`;
}

function resolutionText(series: Map<string, Series>): string {
  const texts = [...series.values()].map((one) => (one.kind === 'raw' ? t('trend.raw') : formatAge(one.resolutionMs)));
  return texts.length === 0 ? '' : t('trend.resolution', { resolution: [...new Set(texts)].join(', ') });
}

function AddTags({ paths, onChange }: { paths: string[]; onChange: (paths: string[]) => void }) {
  if (paths.length === 0) return null;
  return (
    <Popover width={460} position="bottom-start" trapFocus>
      <Popover.Target>
        <Button variant="default" data-testid="trend-add-tags">
          {t('trend.addTags')}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <TagPicker chosen={paths} onChange={onChange} />
      </Popover.Dropdown>
    </Popover>
  );
}

interface RangeControlProps {
  text: string;
  range: TimeRange;
  isOpen: boolean;
  onOpen: (isOpen: boolean) => void;
}

function RangeControl({ text, range, isOpen, onOpen }: RangeControlProps) {
  const isLive = isLiveRange(text);
  const set = (next: string): void => setSearchParams({ range: next });
  return (
    <>
      {!isLive && (
        <Button variant="default" onClick={() => set(usualRange)} data-testid="go-live">
          {t('trend.goLive')}
        </Button>
      )}
      <SegmentedControl
        aria-label={t('trend.range')}
        value={ranges.find((it) => it === text) ?? ''}
        onChange={set}
        data={ranges.map((it) => ({ value: it, label: t(`trend.span.${it}`) }))}
        data-testid="trend-range"
      />
      <Popover opened={isOpen} onChange={onOpen} trapFocus position="bottom-end">
        <Popover.Target>
          <Button variant="default" onClick={() => onOpen(!isOpen)} data-testid="trend-custom-range">
            {t('trend.custom')}
          </Button>
        </Popover.Target>
        <Popover.Dropdown>
          <RangeForm
            range={range}
            onApply={(next) => {
              set(absoluteRange(next));
              onOpen(false);
            }}
          />
        </Popover.Dropdown>
      </Popover>
    </>
  );
}
