// Adding a device: the way it speaks, then only what that way needs.

import { Button, NumberInput, SegmentedControl, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { devices as devicesApi, tokens as tokensApi, values as valuesApi } from '../api/endpoints';
import type { ModbusRegister, ModbusTest } from '../api/types';
import { localEndpoint } from '../model/endpoint';
import { navigate, useSearchParam } from '../model/navigation';
import { useRefresh, useStatus } from '../model/queries';
import { useMay } from '../model/roles';
import { href, trendHref } from '../model/router';
import { httpLine, mqttLine, telegrafConfig } from '../model/snippets';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { AssetSelect } from '../parts/AssetSelect';
import { Snippet } from '../parts/Copy';
import { ModbusTestButton } from '../parts/ModbusTestButton';
import { Offer, Page, Panel } from '../parts/Page';
import { RegisterMap } from '../parts/RegisterMap';

export default function AddDevice() {
  const [kind, setKind] = useSearchParam('kind', 'mqtt');
  const mayAdd = useMay('engineer');
  const text = kind === 'http' ? t('add.httpText') : kind === 'modbus' ? t('add.modbusText') : t('add.mqttText');
  return (
    <Page
      title={t('add.title')}
      testId="add-device"
      tools={
        <>
          <SegmentedControl
            value={kind}
            onChange={setKind}
            data={[
              { value: 'mqtt', label: t('add.mqtt') },
              { value: 'http', label: t('add.http') },
              { value: 'modbus', label: t('add.modbus') },
            ]}
            data-testid="add-kind"
          />
          <span className="ls-dim">{text}</span>
        </>
      }
    >
      {!mayAdd ? (
        <Offer title={t('add.title')} text={t('add.needsEngineer')} />
      ) : kind === 'modbus' ? (
        <AddModbus />
      ) : (
        <AddSender key={kind} kind={kind === 'http' ? 'http' : 'mqtt'} />
      )}
    </Page>
  );
}

/** For devices that send by themselves all there is to do is a token and the line to put into them. */
function AddSender({ kind }: { kind: 'mqtt' | 'http' }) {
  const [name, setName] = useState('');
  const ports = useStatus(60_000).data?.ports;
  const endpoint = localEndpoint(ports);
  const create = useMutation({
    mutationFn: async () =>
      (await tokensApi.create({ name: name.trim(), device: name.trim(), scopes: ['telemetry:write'] })).token,
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (name.trim() !== '') create.mutate();
  };
  const token = create.data;
  const device = name.trim();
  return (
    <Panel>
      <div className="ls-stack">
        <form className="ls-form" onSubmit={submit}>
          <TextInput
            autoFocus
            label={t('add.name')}
            description={t('add.nameHint')}
            value={name}
            readOnly={token !== undefined}
            onChange={(event) => setName(event.currentTarget.value)}
            data-testid="add-name"
          />
          {token === undefined && (
            <Button
              type="submit"
              disabled={device === ''}
              loading={create.isPending}
              style={{ alignSelf: 'start' }}
              data-testid="add-token"
            >
              {t('add.createToken')}
            </Button>
          )}
        </form>
        {token !== undefined && (
          <>
            <div>
              <strong>{t('add.token')}</strong> <span className="ls-dim">{t('add.tokenOnce')}</span>
            </div>
            <Snippet text={token} testId="new-token" />
            <strong>{kind === 'mqtt' ? t('add.runThis') : t('add.httpRun')}</strong>
            <Snippet
              text={kind === 'mqtt' ? mqttLine(endpoint, device, token) : httpLine(endpoint, device, token)}
              testId="connect-line"
            />
            {kind === 'http' && (
              <>
                <strong>{t('add.telegraf')}</strong>
                <Snippet text={telegrafConfig(endpoint, token)} />
              </>
            )}
            <FirstValue name={device} />
          </>
        )}
      </div>
    </Panel>
  );
}

/** Waits for the first value, so that one sees that it works without leaving. */
function FirstValue({ name }: { name: string }) {
  const arrived = useQuery({
    queryKey: ['first-value', name],
    queryFn: async () => (await valuesApi.below(name)).items,
    refetchInterval: 1500,
    meta: { quiet: true },
  });
  const items = arrived.data ?? [];
  return (
    <div className="ls-row" role="status" data-testid="first-value">
      {items.length === 0 ? (
        <span className="ls-dim">{t('add.waiting', { name })}</span>
      ) : (
        <>
          <strong>{t('add.arrived', { count: items.length })}</strong>
          <Button
            onClick={() =>
              navigate(
                trendHref(
                  items.slice(0, 8).map((item) => item.path),
                  '15m',
                ),
              )
            }
            data-testid="see-trend"
          >
            {t('add.seeTrend')}
          </Button>
        </>
      )}
    </div>
  );
}

function AddModbus() {
  const [name, setName] = useState('');
  const [address, setAddress] = useState('');
  const [unit, setUnit] = useState(1);
  const [asset, setAsset] = useState<string | null>(null);
  const [tested, setTested] = useState<ModbusTest | null>(null);
  const [registers, setRegisters] = useState<ModbusRegister[]>([]);
  const refresh = useRefresh();
  // A name is asked for, not demanded: the address is one too.
  const usualName =
    address.trim() === ''
      ? ''
      : `modbus-${address
          .trim()
          .replace(/:502$/, '')
          .replace(/[^\w.-]+/g, '-')}`;
  const save = useMutation({
    mutationFn: () =>
      devicesApi.create({
        name: name.trim() || usualName,
        protocol: 'modbus',
        asset,
        settings: {
          address: address.trim(),
          unit,
          poll_ms: 1000,
          timeout_ms: 1000,
          requests_per_second_max: 20,
          gap_max: 8,
          registers,
        },
      }),
    onSuccess: (device) => {
      done(t('add.saved'));
      refresh('devices', 'values');
      navigate(href('device', { id: device.id }));
    },
  });
  const step = tested?.ok !== true ? 1 : registers.length === 0 ? 2 : 3;
  return (
    <>
      <ol className="ls-steps">
        <li aria-current={step === 1 ? 'step' : undefined}>{t('add.stepAddress')}</li>
        <li aria-current={step === 2 ? 'step' : undefined}>{t('add.stepRegisters')}</li>
        <li aria-current={step === 3 ? 'step' : undefined}>{t('add.stepSave')}</li>
      </ol>
      <Panel>
        <div className="ls-stack">
          <div className="ls-fields">
            <TextInput
              label={t('add.name')}
              placeholder={usualName}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              data-testid="add-name"
            />
            <TextInput
              autoFocus
              label={t('add.address')}
              placeholder={t('add.addressHint')}
              value={address}
              onChange={(event) => {
                setAddress(event.currentTarget.value);
                setTested(null);
              }}
              data-testid="modbus-address"
            />
            <NumberInput
              label={t('add.unit')}
              min={0}
              max={255}
              value={unit}
              onChange={(value) => setUnit(Number(value))}
              data-testid="modbus-unit"
            />
            <AssetSelect label={t('devices.place')} value={asset} onChange={setAsset} />
          </div>
          <ModbusTestButton address={address.trim()} unit={unit} onAnswer={setTested} />
        </div>
      </Panel>
      {/* Registers before the device has answered would be guessed in the dark. */}
      {(tested?.ok || registers.length > 0) && (
        <Panel title={t('add.registers')}>
          <RegisterMap
            registers={registers}
            onChange={setRegisters}
            address={address.trim()}
            unit={unit}
            fileName="registers.csv"
          />
        </Panel>
      )}
      {registers.length > 0 && (
        <div className="ls-row">
          <Button onClick={() => save.mutate()} loading={save.isPending} data-testid="modbus-create">
            {t('add.saveDevice')}
          </Button>
        </div>
      )}
    </>
  );
}
