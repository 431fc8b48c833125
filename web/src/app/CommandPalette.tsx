// Ctrl-K: go anywhere, find any tag or device, by typing any of its words.

import { TextInput, useMantineColorScheme } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { type KeyboardEvent, useState } from 'react';
import { tags as tagsApi } from '../api/endpoints';
import { navigate } from '../model/navigation';
import { nextDensity } from '../model/preferences';
import { useDevices } from '../model/queries';
import { href, trendHref } from '../model/router';
import { t } from '../model/text';
import { matches } from '../model/tree';
import { Dialog } from '../parts/Dialog';
import { Icon, type IconName } from '../parts/Icon';

interface Command {
  key: string;
  icon: IconName;
  name: string;
  kind: string;
  run: () => void;
}

const shownMax = 12;

export default function CommandPalette({ onClose, onHelp }: { onClose: () => void; onHelp: () => void }) {
  const [text, setText] = useState('');
  const [search] = useDebouncedValue(text, 120);
  const [at, setAt] = useState(0);
  const { toggleColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const devices = useDevices().data ?? [];
  const found = useQuery({
    queryKey: ['palette', search],
    queryFn: () => tagsApi.find(search, 8),
    enabled: search.trim().length > 1,
    placeholderData: (before) => before,
  });
  const go = (to: string) => () => navigate(to);
  const fixed: Command[] = [
    { key: 'o', icon: 'plant', name: t('nav.overview'), kind: t('palette.screen'), run: go(href('overview')) },
    { key: 't', icon: 'trend', name: t('nav.trend'), kind: t('palette.screen'), run: go(href('trend')) },
    { key: 'a', icon: 'alarm', name: t('nav.alarms'), kind: t('palette.screen'), run: go(href('alarms')) },
    {
      key: 'j',
      icon: 'alarm',
      name: t('alarms.journal'),
      kind: t('palette.screen'),
      run: go(href('alarms', {}, { tab: 'journal' })),
    },
    {
      key: 'r',
      icon: 'alarm',
      name: t('alarms.rules'),
      kind: t('palette.screen'),
      run: go(href('alarms', {}, { tab: 'rules' })),
    },
    { key: 'd', icon: 'device', name: t('nav.devices'), kind: t('palette.screen'), run: go(href('devices')) },
    {
      key: 'i',
      icon: 'device',
      name: t('devices.inbox'),
      kind: t('palette.screen'),
      run: go(href('devices', {}, { tab: 'discovered' })),
    },
    { key: 'n', icon: 'plus', name: t('devices.add'), kind: t('palette.action'), run: go(href('addDevice')) },
    { key: 's', icon: 'assets', name: t('nav.assets'), kind: t('palette.screen'), run: go(href('assets')) },
    { key: 'q', icon: 'quality', name: t('nav.quality'), kind: t('palette.screen'), run: go(href('quality')) },
    {
      key: 'e',
      icon: 'quality',
      name: t('nav.ledger'),
      kind: t('palette.screen'),
      run: go(href('quality', {}, { tab: 'ledger' })),
    },
    { key: 'f', icon: 'question', name: t('nav.questions'), kind: t('palette.screen'), run: go(href('questions')) },
    { key: 'x', icon: 'transfer', name: t('nav.transfer'), kind: t('palette.screen'), run: go(href('transfer')) },
    { key: 'w', icon: 'storage', name: t('nav.storage'), kind: t('palette.screen'), run: go(href('storage')) },
    {
      key: 'v',
      icon: 'storage',
      name: t('nav.retention'),
      kind: t('palette.screen'),
      run: go(href('storage', {}, { tab: 'retention' })),
    },
    { key: 'u', icon: 'users', name: t('nav.users'), kind: t('palette.screen'), run: go(href('users')) },
    { key: 'y', icon: 'system', name: t('nav.system'), kind: t('palette.screen'), run: go(href('system')) },
    { key: 'p', icon: 'audit', name: t('nav.api'), kind: t('palette.screen'), run: go(href('api')) },
    { key: 'l', icon: 'moon', name: t('palette.theme'), kind: t('palette.action'), run: toggleColorScheme },
    { key: 'z', icon: 'density', name: t('palette.density'), kind: t('palette.action'), run: nextDensity },
    { key: 'h', icon: 'help', name: t('keys.title'), kind: t('palette.action'), run: onHelp },
  ];
  const tags = (search.trim().length > 1 ? (found.data ?? []) : []).map(
    (tag): Command => ({
      key: `tag-${tag.id}`,
      icon: 'trend',
      name: tag.path,
      kind: t('palette.tag'),
      run: go(trendHref([tag.path])),
    }),
  );
  const devicesFound = (
    text === '' ? [] : devices.filter((it) => matches(`${it.name} ${it.title}`, text)).slice(0, 4)
  ).map(
    (it): Command => ({
      key: `device-${it.id}`,
      icon: 'device',
      name: it.title || it.name,
      kind: t('palette.device'),
      run: go(href('device', { id: it.id })),
    }),
  );
  const commands = [...fixed.filter((it) => matches(it.name, text)), ...tags, ...devicesFound].slice(0, shownMax);
  const index = Math.min(at, commands.length - 1);

  const run = (command: Command | undefined): void => {
    if (command === undefined) return;
    onClose();
    command.run();
  };
  const keyDown = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowDown') setAt(Math.min(index + 1, commands.length - 1));
    else if (event.key === 'ArrowUp') setAt(Math.max(index - 1, 0));
    else if (event.key === 'Enter') run(commands[index]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title={t('shell.commands')} onClose={onClose} size="lg">
      <TextInput
        autoFocus
        aria-label={t('palette.placeholder')}
        placeholder={t('palette.placeholder')}
        value={text}
        onChange={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={keyDown}
        data-testid="palette-input"
      />
      <div role="listbox" aria-label={t('shell.commands')} style={{ marginTop: 8 }}>
        {commands.map((command, i) => (
          <div
            key={command.key}
            role="option"
            tabIndex={-1}
            aria-selected={i === index}
            className="ls-palette-row"
            onClick={() => run(command)}
            onKeyDown={keyDown}
            onMouseEnter={() => setAt(i)}
          >
            <Icon name={command.icon} />
            <span className="ls-grow ls-cut">{command.name}</span>
            <span className="ls-dim ls-small">{command.kind}</span>
          </div>
        ))}
      </div>
    </Dialog>
  );
}
