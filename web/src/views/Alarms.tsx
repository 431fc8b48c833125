// Alarms: what is active and waits for someone, what has been, and the rules that raise them.

import { Button, SegmentedControl, Tabs, TextInput } from '@mantine/core';
import { useMemo, useState } from 'react';
import type { Alarm } from '../api/types';
import { type AlarmSort, sortAlarms } from '../model/alarms';
import { formatAge, formatTime, formatTimeShort, formatUnit, formatValue } from '../model/format';
import { useSearchParam } from '../model/navigation';
import { useAlarms, useRules } from '../model/queries';
import { useMay } from '../model/roles';
import { trendHref } from '../model/router';
import { t } from '../model/text';
import { matches } from '../model/tree';
import { AckDialog } from '../parts/AckDialog';
import { AlarmBadge } from '../parts/AlarmBadge';
import { type Column, DataTable } from '../parts/DataTable';
import { useKeys } from '../parts/keys';
import { Link } from '../parts/Link';
import { LiveValue } from '../parts/LiveValue';
import { Facts, Offer, Page, Panel, Waiting } from '../parts/Page';
import { RuleDialog } from '../parts/RuleDialog';
import { TagPath } from '../parts/TagPath';
import { AlarmJournal } from './AlarmJournal';
import { AlarmRules } from './AlarmRules';

export default function Alarms() {
  const [tab, setTab] = useSearchParam('tab', 'active');
  return (
    <Page
      full
      title={t('alarms.title')}
      testId="alarms"
      tools={
        <Tabs value={tab} onChange={setTab} className="ls-grow">
          <Tabs.List>
            <Tabs.Tab value="active" data-testid="tab-active">
              {t('alarms.active')}
            </Tabs.Tab>
            <Tabs.Tab value="journal" data-testid="tab-journal">
              {t('alarms.journal')}
            </Tabs.Tab>
            <Tabs.Tab value="rules" data-testid="tab-rules">
              {t('alarms.rules')}
            </Tabs.Tab>
          </Tabs.List>
        </Tabs>
      }
    >
      {tab === 'journal' ? <AlarmJournal /> : tab === 'rules' ? <AlarmRules /> : <ActiveAlarms />}
    </Page>
  );
}

function ActiveAlarms() {
  const alarms = useAlarms().data;
  const [sort, setSort] = useSearchParam('sort', 'priority');
  const [search, setSearch] = useSearchParam('q');
  const [chosen, setChosen] = useState<Set<string>>(new Set());
  const [open, setOpen] = useState<string | null>(null);
  const [acking, setAcking] = useState<Alarm[]>([]);
  const mayAcknowledge = useMay('operator');
  const shown = useMemo(() => {
    const items = (alarms?.items ?? []).filter((alarm) => alarm.state !== 'A');
    const found = items.filter((alarm) => search === '' || matches(`${alarm.name} ${alarm.tag_path}`, search));
    return sortAlarms(found, sort as AlarmSort);
  }, [alarms, sort, search]);
  const waiting = shown.filter((alarm) => chosen.has(alarm.id) && !alarm.acknowledged);
  const acknowledge = (some: Alarm[]): void => {
    const open = some.filter((alarm) => !alarm.acknowledged);
    if (mayAcknowledge && open.length > 0) setAcking(open);
  };
  // "a" means what is selected, else the row in focus, else the first that waits.
  useKeys({
    a: () => {
      const focused = document.activeElement?.getAttribute('data-row-id');
      const one = shown.find((alarm) => alarm.id === focused) ?? shown.find((alarm) => !alarm.acknowledged);
      acknowledge(waiting.length > 0 ? waiting : one === undefined ? [] : [one]);
    },
  });
  if (alarms === undefined) return <Waiting />;
  return (
    <>
      <div className="ls-row">
        <TextInput
          data-search
          aria-label={t('alarms.filter')}
          placeholder={t('alarms.filter')}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          w={280}
        />
        <SegmentedControl
          value={sort}
          onChange={setSort}
          data={[
            { value: 'priority', label: t('alarms.sortPriority') },
            { value: 'state', label: t('alarms.sortState') },
            { value: 'time', label: t('alarms.sortTime') },
          ]}
        />
        <span className="ls-grow" />
        {waiting.length > 0 && mayAcknowledge && (
          <Button onClick={() => acknowledge(waiting)} data-testid="alarm-ack-selected">
            {t('alarms.acknowledgeSelected', { count: waiting.length })}
          </Button>
        )}
      </div>
      <Panel pad={false} className="ls-fill">
        {shown.length === 0 ? (
          <Offer title={t('alarms.none')} text={t('alarms.noneText')} />
        ) : (
          <AlarmTable
            alarms={shown}
            chosen={chosen}
            onChoose={setChosen}
            open={open}
            onOpen={(alarm) => setOpen(open === alarm.id ? null : alarm.id)}
            onAcknowledge={mayAcknowledge ? (alarm) => acknowledge([alarm]) : null}
          />
        )}
      </Panel>
      {acking.length > 0 && (
        <AckDialog
          alarms={acking}
          onClose={() => {
            setAcking([]);
            setChosen(new Set());
          }}
        />
      )}
    </>
  );
}

interface AlarmTableProps {
  alarms: Alarm[];
  chosen: Set<string>;
  onChoose: (chosen: Set<string>) => void;
  open: string | null;
  onOpen: (alarm: Alarm) => void;
  onAcknowledge: ((alarm: Alarm) => void) | null;
}

function AlarmTable({ alarms, chosen, onChoose, open, onOpen, onAcknowledge }: AlarmTableProps) {
  const columns: Column<Alarm>[] = [
    {
      id: 'priority',
      header: '',
      enableSorting: false,
      cell: ({ row }) => <AlarmBadge priority={row.original.priority} unacknowledged={!row.original.acknowledged} />,
    },
    {
      id: 'raised',
      header: t('alarm.raised'),
      enableSorting: false,
      meta: { cell: 'ls-wide-only' },
      cell: ({ row }) => (
        <span className="ls-num" title={formatTime(row.original.raised)}>
          {formatTimeShort(row.original.raised)}
        </span>
      ),
    },
    {
      id: 'name',
      header: t('alarm.name'),
      enableSorting: false,
      meta: { cell: 'grow' },
      cell: ({ row }) => (
        <div className="ls-cut">
          <strong style={row.original.acknowledged ? { fontWeight: 400 } : undefined}>
            {row.original.name || row.original.tag_path}
          </strong>
          <span className="ls-dim ls-small"> {row.original.action}</span>
        </div>
      ),
    },
    {
      id: 'limit',
      header: t('alarm.limit'),
      enableSorting: false,
      meta: { cell: 'ls-wide-only' },
      cell: ({ row }) => (
        <span className="ls-num">
          {row.original.limit} <span className="ls-dim">{formatValue(row.original.threshold)}</span>
        </span>
      ),
    },
    {
      id: 'value',
      header: t('alarm.value'),
      enableSorting: false,
      meta: { cell: 'right' },
      cell: ({ row }) => (
        <LiveValue path={row.original.tag_path} unit={row.original.unit} testId={`alarm-value-${row.original.id}`} />
      ),
    },
    {
      id: 'state',
      header: t('alarm.state'),
      enableSorting: false,
      meta: { cell: 'ls-wide-only' },
      cell: ({ row }) => <span data-testid="alarm-state">{t(`alarmState.${row.original.state}`)}</span>,
    },
    {
      id: 'ack',
      header: '',
      enableSorting: false,
      cell: ({ row }) =>
        !row.original.acknowledged &&
        onAcknowledge !== null && (
          <Button
            variant="default"
            size="compact-sm"
            onClick={() => onAcknowledge(row.original)}
            data-testid="alarm-ack"
          >
            {t('alarm.acknowledge')}
          </Button>
        ),
    },
  ];
  return (
    <DataTable
      label={t('alarms.title')}
      rows={alarms}
      columns={columns}
      rowId={(alarm) => alarm.id}
      selected={chosen}
      onSelect={onChoose}
      onOpen={onOpen}
      below={(alarm) => (alarm.id === open ? <AlarmMore alarm={alarm} /> : null)}
      rowTestId="alarm-row"
    />
  );
}

function AlarmMore({ alarm }: { alarm: Alarm }) {
  const rules = useRules().data;
  const [editing, setEditing] = useState(false);
  const mayEdit = useMay('engineer');
  const rule = rules?.find((it) => it.id === alarm.rule);
  const facts: [string, React.ReactNode][] = [
    [t('alarm.consequence'), alarm.consequence],
    [t('alarm.action'), alarm.action],
    [t('alarm.tag'), <TagPath key="tag" path={alarm.tag_path} />],
    [t('alarm.raised'), `${formatTime(alarm.raised)} (${formatAge(Date.now() - Date.parse(alarm.raised))})`],
    [t('alarm.value'), `${formatValue(alarm.value)} ${formatUnit(alarm.unit)}`],
  ];
  if (alarm.acknowledged && alarm.acknowledged_by) {
    facts.push([
      t('alarm.state'),
      t('alarm.acknowledgedBy', { name: alarm.acknowledged_by, time: formatTime(alarm.acknowledged_at) }),
    ]);
  }
  if (alarm.comment) facts.push([t('alarm.comment'), alarm.comment]);
  return (
    <div className="ls-stack" data-testid="alarm-more">
      <Facts items={facts.filter(([, value]) => value !== '')} />
      {!alarm.consequence && !alarm.action && <div className="ls-dim">{t('alarm.noRationale')}</div>}
      <div className="ls-row">
        <Button component={Link} href={trendHref([alarm.tag_path], '1h')} variant="default" size="compact-sm">
          {t('alarms.showTrend')}
        </Button>
        {mayEdit && rule !== undefined && (
          <Button variant="default" size="compact-sm" onClick={() => setEditing(true)}>
            {t('alarms.editRule')}
          </Button>
        )}
      </div>
      {editing && rule !== undefined && (
        <RuleDialog
          tag={{ id: rule.tag, path: rule.tag_path, unit: alarm.unit }}
          rule={rule}
          onClose={() => setEditing(false)}
        />
      )}
    </div>
  );
}
