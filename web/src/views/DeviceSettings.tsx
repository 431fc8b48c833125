// Settings of a device: title and place, and for Modbus its address and register map.

import { Button, NumberInput, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { devices as devicesApi } from '../api/endpoints';
import type { Device, ModbusSettings } from '../api/types';
import { navigate } from '../model/navigation';
import { useRefresh } from '../model/queries';
import { useMay } from '../model/roles';
import { href } from '../model/router';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { AssetSelect } from '../parts/AssetSelect';
import { CopyButton } from '../parts/Copy';
import { DestroyDialog } from '../parts/Dialog';
import { ModbusTestButton } from '../parts/ModbusTestButton';
import { Panel } from '../parts/Page';
import { RegisterMap } from '../parts/RegisterMap';

const modbusDefaults: ModbusSettings = {
  address: '',
  unit: 1,
  poll_ms: 1000,
  timeout_ms: 1000,
  requests_per_second_max: 20,
  gap_max: 8,
  registers: [],
};

export function DeviceSettings({ device }: { device: Device }) {
  const mayEdit = useMay('engineer');
  return (
    <>
      {mayEdit && <DeviceBasics device={device} />}
      {device.protocol === 'modbus' ? (
        <ModbusPanel device={device} mayEdit={mayEdit} />
      ) : (
        <Panel
          title={t('device.rawSettings')}
          tools={
            device.settings !== null && <CopyButton size="compact-sm" text={JSON.stringify(device.settings, null, 2)} />
          }
        >
          {device.settings === null ? (
            <span className="ls-dim">{t('device.noSettings')}</span>
          ) : (
            <pre>{JSON.stringify(device.settings, null, 2)}</pre>
          )}
        </Panel>
      )}
    </>
  );
}

function ModbusPanel({ device, mayEdit }: { device: Device; mayEdit: boolean }) {
  const [settings, setSettings] = useState<ModbusSettings>({
    ...modbusDefaults,
    ...(device.settings as Partial<ModbusSettings> | null),
  });
  const refresh = useRefresh();
  const save = useMutation({
    mutationFn: () => devicesApi.change(device.id, { settings: settings as unknown as Record<string, unknown> }),
    onSuccess: () => {
      done(t('common.saved'));
      refresh('device', 'devices', 'tags');
    },
  });
  const set = (part: Partial<ModbusSettings>): void => setSettings({ ...settings, ...part });
  const number = (key: 'unit' | 'poll_ms' | 'timeout_ms' | 'requests_per_second_max' | 'gap_max', label: string) => (
    <NumberInput
      label={label}
      value={settings[key]}
      min={0}
      onChange={(value) => typeof value === 'number' && set({ [key]: value })}
    />
  );
  return (
    <Panel
      title={t('add.modbus')}
      tools={
        mayEdit && (
          <Button size="compact-sm" onClick={() => save.mutate()} loading={save.isPending} data-testid="modbus-save">
            {t('common.save')}
          </Button>
        )
      }
    >
      <div className="ls-stack">
        <div className="ls-fields">
          <TextInput
            label={t('add.address')}
            value={settings.address}
            onChange={(event) => set({ address: event.currentTarget.value })}
          />
          {number('unit', t('add.unit'))}
          {number('poll_ms', t('device.poll'))}
          {number('timeout_ms', t('device.timeout'))}
          {number('requests_per_second_max', t('device.requestsMax'))}
          {number('gap_max', t('device.gapMax'))}
        </div>
        <ModbusTestButton address={settings.address} unit={settings.unit} />
        <RegisterMap
          registers={settings.registers}
          onChange={(registers) => set({ registers })}
          address={settings.address}
          unit={settings.unit}
          fileName={`${device.name.replace(/[^\w-]+/g, '-')}-registers.csv`}
          dryRun={(csv) => devicesApi.putRegistersCsv(device.id, csv, true)}
        />
      </div>
    </Panel>
  );
}

/** Title and place: what every device has, whatever its protocol. */
function DeviceBasics({ device }: { device: Device }) {
  const [title, setTitle] = useState(device.title);
  const [asset, setAsset] = useState(device.asset);
  const [deleting, setDeleting] = useState(false);
  const refresh = useRefresh();
  const save = useMutation({
    mutationFn: () => devicesApi.change(device.id, { title, asset }),
    onSuccess: () => {
      done(t('common.saved'));
      refresh('device', 'devices');
    },
  });
  const remove = useMutation({
    mutationFn: () => devicesApi.remove(device.id),
    onSuccess: () => {
      done(t('device.deleted'));
      refresh('devices', 'values', 'rules');
      navigate(href('devices'));
    },
  });
  return (
    <Panel
      title={device.name}
      tools={
        <Button variant="default" size="compact-sm" onClick={() => setDeleting(true)} data-testid="device-delete">
          {t('device.delete')}
        </Button>
      }
    >
      <form
        className="ls-form"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <TextInput
          label={t('device.title')}
          value={title}
          onChange={(event) => setTitle(event.currentTarget.value)}
          data-testid="device-title"
        />
        <AssetSelect label={t('device.asset')} value={asset} onChange={setAsset} />
        <Button type="submit" loading={save.isPending} style={{ alignSelf: 'start' }} data-testid="device-save">
          {t('common.save')}
        </Button>
      </form>
      {deleting && (
        <DestroyDialog
          title={t('device.delete')}
          text={t('device.deleteText')}
          name={device.name}
          confirm={t('device.delete')}
          onConfirm={() => remove.mutateAsync().catch(() => {})}
          onClose={() => setDeleting(false)}
        />
      )}
    </Panel>
  );
}
