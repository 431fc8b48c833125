// Words for the states of devices.

import { serverNow } from '../api/client';
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

/** Silent for longer than this counts as silent: most devices send every few seconds. */
const silentMs = 60_000;

/** Of a device that sends by itself there is no connection to speak of, only whether it was heard lately. */
export function connectionText(device: Device): { kind: DeviceStateKind; text: string; detail: string } {
  const { connection, last_heard } = device;
  if (connection !== null && connection.state !== 'none') {
    return {
      kind: kinds[connection.state] ?? 'off',
      text: t(`connection.${connection.state}`),
      detail: connection.detail ?? '',
    };
  }
  if (last_heard === null) return { kind: 'off', text: t('connection.none'), detail: '' };
  const isSending = serverNow() - Date.parse(last_heard) < silentMs;
  return {
    kind: isSending ? 'on' : 'off',
    text: t(isSending ? 'connection.sending' : 'connection.silent'),
    detail: agoText(last_heard),
  };
}

export const agoText = (time: string | null): string =>
  time === null ? t('devices.never') : t('devices.ago', { age: formatAge(serverNow() - Date.parse(time)) });

export const deviceTitle = (device: Device): string => device.title || device.name;
