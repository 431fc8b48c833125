// The rules that raise alarms.

import { Button, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { rules as rulesApi } from '../api/endpoints';
import type { AlarmRule } from '../api/types';
import { formatNumber } from '../model/format';
import { useSearchParam } from '../model/navigation';
import { useRefresh, useRules, useValues } from '../model/queries';
import { useMay } from '../model/roles';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { matches } from '../model/tree';
import { AlarmBadge } from '../parts/AlarmBadge';
import { type Column, DataTable } from '../parts/DataTable';
import { DestroyDialog, Dialog } from '../parts/Dialog';
import { Offer, Panel, StateMark, Waiting } from '../parts/Page';
import { RuleDialog, type RuleSubject } from '../parts/RuleDialog';
import { TagPath } from '../parts/TagPath';
import { TagPicker } from '../parts/TagPicker';

export function AlarmRules() {
  const rules = useRules().data;
  const values = useValues('').data ?? [];
  const [search, setSearch] = useSearchParam('q');
  const [picking, setPicking] = useState(false);
  const [editing, setEditing] = useState<{ tag: RuleSubject; rule: AlarmRule | null } | null>(null);
  const [deleting, setDeleting] = useState<AlarmRule | null>(null);
  const mayEdit = useMay('engineer');
  const refresh = useRefresh();
  const change = useMutation({
    mutationFn: ({ id, enabled }: AlarmRule) => rulesApi.change(id, { enabled: !enabled }),
    onSuccess: () => refresh('rules', 'alarms'),
  });
  const remove = useMutation({
    mutationFn: (rule: AlarmRule) => rulesApi.remove(rule.id),
    onSuccess: () => {
      done(t('rule.deleted'));
      setDeleting(null);
      refresh('rules', 'alarms');
    },
  });
  const unitOf = (rule: AlarmRule): string => values.find((value) => value.path === rule.tag_path)?.unit ?? '';
  const edit = (rule: AlarmRule): void =>
    setEditing({ tag: { id: rule.tag, path: rule.tag_path, unit: unitOf(rule) }, rule });
  if (rules === undefined) return <Waiting />;
  const shown = rules.filter((rule) => search === '' || matches(`${rule.name} ${rule.tag_path}`, search));
  const columns: Column<AlarmRule>[] = [
    {
      id: 'enabled',
      header: t('alarm.state'),
      accessorFn: (rule) => rule.enabled,
      cell: ({ row }) => (
        <StateMark kind={row.original.enabled ? 'on' : 'off'}>
          {row.original.enabled ? t('rule.enabled') : t('rule.disabled')}
        </StateMark>
      ),
    },
    { id: 'name', header: t('alarm.name'), accessorFn: (rule) => rule.name },
    {
      id: 'tag',
      header: t('rule.tag'),
      accessorFn: (rule) => rule.tag_path,
      meta: { cell: 'grow' },
      cell: ({ row }) => <TagPath path={row.original.tag_path} />,
    },
    {
      id: 'limits',
      header: t('rule.limits'),
      enableSorting: false,
      cell: ({ row }) => (
        <span className="ls-row tight" style={{ gap: 12 }}>
          {row.original.limits.map((limit) => (
            <span key={limit.kind} className="ls-row tight ls-num" style={{ gap: 4 }}>
              <AlarmBadge priority={limit.priority} />
              {limit.kind} {formatNumber(limit.threshold)}
            </span>
          ))}
        </span>
      ),
    },
    {
      id: 'tools',
      header: '',
      enableSorting: false,
      cell: ({ row }) =>
        mayEdit && (
          <span className="ls-row tight">
            <Button variant="default" size="compact-sm" onClick={() => edit(row.original)}>
              {t('common.edit')}
            </Button>
            <Button variant="default" size="compact-sm" onClick={() => change.mutate(row.original)}>
              {row.original.enabled ? t('rule.turnOff') : t('rule.turnOn')}
            </Button>
            <Button variant="default" size="compact-sm" onClick={() => setDeleting(row.original)}>
              {t('common.delete')}
            </Button>
          </span>
        ),
    },
  ];
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
        <span className="ls-grow" />
        {mayEdit && (
          <Button onClick={() => setPicking(true)} data-testid="rule-new">
            {t('rule.new')}
          </Button>
        )}
      </div>
      <Panel pad={false} className="ls-fill">
        {shown.length === 0 ? (
          <Offer title={t('rule.none')} text={t('rule.noneText')}>
            {mayEdit && <Button onClick={() => setPicking(true)}>{t('rule.new')}</Button>}
          </Offer>
        ) : (
          <DataTable
            label={t('alarms.rules')}
            rows={shown}
            columns={columns}
            rowId={(rule) => rule.id}
            onOpen={mayEdit ? edit : undefined}
            rowTestId="rule-row"
          />
        )}
      </Panel>
      {picking && (
        <Dialog title={t('rule.new')} onClose={() => setPicking(false)} size="lg">
          <TagPicker
            single
            chosen={[]}
            onChange={() => setPicking(false)}
            onPick={(tag) => setEditing({ tag, rule: rules.find((rule) => rule.tag === tag.id) ?? null })}
          />
        </Dialog>
      )}
      {editing !== null && <RuleDialog tag={editing.tag} rule={editing.rule} onClose={() => setEditing(null)} />}
      {deleting !== null && (
        <DestroyDialog
          title={t('rule.delete')}
          text={t('rule.deleteText')}
          name={deleting.name}
          confirm={t('rule.delete')}
          onConfirm={() => remove.mutateAsync(deleting).catch(() => {})}
          onClose={() => setDeleting(null)}
        />
      )}
    </>
  );
}
