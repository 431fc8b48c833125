// What stays while screens change: alarm strip, connection banner, navigation, keys.

import { ActionIcon, Menu, useMantineColorScheme } from '@mantine/core';
import { lazy, Suspense, useEffect, useMemo, useState } from 'react';
import { session as sessionApi } from '../api/endpoints';
import { timeZoneText } from '../model/format';
import { navigate, useRoute } from '../model/navigation';
import { nextDensity, useDensity } from '../model/preferences';
import { queryClient, useDevices, useSession } from '../model/queries';
import { useMay } from '../model/roles';
import { href, type RouteName } from '../model/router';
import { t } from '../model/text';
import { complain } from '../model/toasts';
import { Icon, type IconName } from '../parts/Icon';
import { useKeys } from '../parts/keys';
import { Link } from '../parts/Link';
import { Offer, Waiting } from '../parts/Page';
import { Overview } from '../views/Overview';
import { AlarmStrip } from './AlarmStrip';
import { ConnectionBanner } from './ConnectionBanner';

// Dialogs come after the first screen: they are fetched when it stands, so that opening one waits for nothing.
const loadPalette = () => import('./CommandPalette');
const CommandPalette = lazy(loadPalette);
const KeyHelp = lazy(() => import('./KeyHelp'));

/** Screens whose words the first screen does not wait for. */
const withWords = (load: () => Promise<{ default: React.ComponentType }>) =>
  lazy(async () => (await Promise.all([load(), import('./laterText')]))[0]);

const screens: Record<RouteName, React.ComponentType> = {
  overview: Overview,
  claim: Overview,
  trend: withWords(() => import('../views/Trend')),
  alarms: withWords(() => import('../views/Alarms')),
  devices: withWords(() => import('../views/Devices')),
  addDevice: withWords(() => import('../views/AddDevice')),
  device: withWords(() => import('../views/DeviceDetail')),
  assets: withWords(() => import('../views/Assets')),
  quality: withWords(() => import('../views/Quality')),
  storage: withWords(() => import('../views/Storage')),
  transfer: withWords(() => import('../views/Transfer')),
  questions: withWords(() => import('../views/Questions')),
  users: withWords(() => import('../views/Users')),
  audit: withWords(() => import('../views/Audit')),
  system: withWords(() => import('../views/System')),
  api: withWords(() => import('../views/ApiExplorer')),
  errors: withWords(() => import('../views/ErrorCodes')),
};

const entries: { name: RouteName; icon: IconName; administrator?: boolean }[] = [
  { name: 'overview', icon: 'plant' },
  { name: 'trend', icon: 'trend' },
  { name: 'alarms', icon: 'alarm' },
  { name: 'devices', icon: 'device' },
  { name: 'assets', icon: 'assets' },
  { name: 'quality', icon: 'quality' },
  { name: 'questions', icon: 'question' },
  { name: 'transfer', icon: 'transfer' },
  { name: 'storage', icon: 'storage' },
  { name: 'users', icon: 'users', administrator: true },
  { name: 'audit', icon: 'audit', administrator: true },
  { name: 'system', icon: 'system' },
];

function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>('[data-search]');
  field?.focus();
  field?.select();
}

export function Shell() {
  const route = useRoute();
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  useKeys(
    useMemo(
      () => ({
        'ctrl+k': () => setPalette(true),
        '/': () => (document.querySelector('[data-search]') === null ? setPalette(true) : focusSearch()),
        '?': () => setHelp(true),
        'g o': () => navigate(href('overview')),
        'g t': () => navigate(href('trend')),
        'g a': () => navigate(href('alarms')),
        'g d': () => navigate(href('devices')),
        'g q': () => navigate(href('quality')),
        'g f': () => navigate(href('questions')),
        'g e': () => navigate(href('transfer')),
        'g h': () => navigate(href('storage')),
        'g s': () => navigate(href('system')),
      }),
      [],
    ),
  );
  useEffect(() => void loadPalette(), []);
  const Screen = route.name === 'unknown' ? null : screens[route.name];
  return (
    <div className="ls-shell">
      <AlarmStrip tools={<StripTools onSearch={() => setPalette(true)} onHelp={() => setHelp(true)} />} />
      <ConnectionBanner />
      <Navigation />
      <main className="ls-main" id="main">
        <Suspense fallback={<Waiting />}>
          {Screen === null ? (
            <Offer title={t('shell.unknown')} text={t('shell.unknownText')}>
              <Link href="/">{t('nav.overview')}</Link>
            </Offer>
          ) : (
            // Another device is another screen: nothing typed for one may stay for the next.
            <Screen key={route.params.id ?? route.name} />
          )}
        </Suspense>
      </main>
      <Suspense fallback={null}>
        {palette && <CommandPalette onClose={() => setPalette(false)} onHelp={() => setHelp(true)} />}
        {help && <KeyHelp onClose={() => setHelp(false)} />}
      </Suspense>
    </div>
  );
}

function Navigation() {
  const route = useRoute();
  const isAdministrator = useMay('administrator');
  const session = useSession().data;
  const discovered = useDevices('discovered').data?.length ?? 0;
  const current: RouteName | 'unknown' = route.name === 'device' || route.name === 'addDevice' ? 'devices' : route.name;
  return (
    <nav className="ls-nav" aria-label={t('shell.navigation')}>
      {entries
        .filter((entry) => isAdministrator || entry.administrator !== true)
        .map((entry) => (
          <Link
            key={entry.name}
            href={href(entry.name)}
            aria-current={current === entry.name ? 'page' : undefined}
            data-testid={`nav-${entry.name}`}
          >
            <Icon name={entry.icon} />
            <span className="ls-grow">{t(`nav.${entry.name}` as 'nav.overview')}</span>
            {entry.name === 'devices' && discovered > 0 && (
              <span className="ls-count" title={t('devices.discoveredCount', { count: discovered })}>
                +{discovered}
              </span>
            )}
          </Link>
        ))}
      <div className="ls-nav-foot">
        <span data-testid="time-zone">{timeZoneText()}</span>
        <span>
          {session?.tenant?.name ? `${session.tenant.name} · ` : ''}
          {t('shell.version', { version: session?.version ?? '' })}
        </span>
      </div>
    </nav>
  );
}

function StripTools({ onSearch, onHelp }: { onSearch: () => void; onHelp: () => void }) {
  // Without keepTransitions a style element would be added, which the content security policy refuses.
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const density = useDensity();
  const user = useSession().data?.user;
  const isDark = colorScheme === 'dark';
  const signOut = (): void => {
    sessionApi.signOut().then(() => {
      queryClient.clear();
      window.location.assign('/');
    }, complain);
  };
  return (
    <>
      <ActionIcon
        aria-label={t('shell.commands')}
        title={`${t('shell.commands')} (Ctrl-K)`}
        onClick={onSearch}
        data-testid="open-palette"
      >
        <Icon name="search" />
      </ActionIcon>
      <ActionIcon
        className="ls-wide-only"
        aria-label={t('shell.density', { density: t(`density.${density}`) })}
        title={t('shell.density', { density: t(`density.${density}`) })}
        onClick={nextDensity}
        data-testid="density-switch"
      >
        <Icon name="density" />
      </ActionIcon>
      <ActionIcon
        className="ls-wide-only"
        aria-label={t(isDark ? 'shell.toLight' : 'shell.toDark')}
        title={t(isDark ? 'shell.toLight' : 'shell.toDark')}
        onClick={() => setColorScheme(isDark ? 'light' : 'dark')}
        data-testid="theme-switch"
      >
        <Icon name={isDark ? 'sun' : 'moon'} />
      </ActionIcon>
      <ActionIcon
        className="ls-wide-only"
        aria-label={t('keys.title')}
        title={`${t('keys.title')} (?)`}
        onClick={onHelp}
      >
        <Icon name="help" />
      </ActionIcon>
      <Menu zIndex={1001}>
        <Menu.Target>
          <ActionIcon aria-label={t('shell.account')} title={user?.name} data-testid="account-menu">
            <Icon name="person" />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>
            {user?.name} · {user ? t(`role.${user.role}`) : ''}
          </Menu.Label>
          <Menu.Item onClick={() => navigate(href('api'))}>{t('nav.api')}</Menu.Item>
          <Menu.Item onClick={() => setColorScheme(isDark ? 'light' : 'dark')}>
            {t(isDark ? 'shell.toLight' : 'shell.toDark')}
          </Menu.Item>
          <Menu.Item onClick={nextDensity} closeMenuOnClick={false}>
            {t('shell.density', { density: t(`density.${density}`) })}
          </Menu.Item>
          <Menu.Item onClick={onHelp}>{t('keys.title')}</Menu.Item>
          <Menu.Item onClick={signOut} data-testid="sign-out">
            {t('shell.signOut')}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </>
  );
}
