// Words for the states of devices.

import type { Connection, Device } from '../api/types';
import { formatAge } from './format';
import { t } from './text';

export type DeviceStateKind = 'on' | 'off' | 'part' | 'bad';

const kinds: Record<Connection['state'], DeviceStateKind> = {
  connected: 'on',
  connecting: 'part',
  failed: 'bad',
  idle: 'off',
  none: 'off',
};

export const connectionKind = (connection: Connection | null): DeviceStateKind =>
  kinds[connection?.state ?? 'none'] ?? 'off';

export const agoText = (time: string | null): string =>
  time === null ? t('devices.never') : t('devices.ago', { age: formatAge(Date.now() - Date.parse(time)) });

export const deviceTitle = (device: Device): string => device.title || device.name;
