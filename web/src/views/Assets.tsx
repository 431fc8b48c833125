// The shape of the plant: a tree by ISA-95 levels, edited in place.

import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useMemo, useState } from 'react';
import { assets as assetsApi, devices as devicesApi } from '../api/endpoints';
import type { Asset, AssetLevel } from '../api/types';
import { useSearchParam } from '../model/navigation';
import { deviceTitle } from '../model/plantText';
import { useAssets, useDevices, useRefresh } from '../model/queries';
import { useMay } from '../model/roles';
import { href } from '../model/router';
import { t } from '../model/text';
import { done } from '../model/toasts';
import { assetsBelow } from '../model/tree';
import { AssetSelect } from '../parts/AssetSelect';
import { DestroyDialog } from '../parts/Dialog';
import { Link } from '../parts/Link';
import { Offer, Page, Panel, Waiting } from '../parts/Page';
import { Tree, type TreeItem } from '../parts/Tree';

const levels: AssetLevel[] = ['enterprise', 'site', 'area', 'line', 'cell', 'unit', 'other'];

interface AssetNode extends TreeItem {
  level: AssetLevel;
  children: AssetNode[];
}

function treeOf(assets: Asset[], parent: string | null): AssetNode[] {
  return assets
    .filter((asset) => asset.parent === parent)
    .map((asset) => ({ key: asset.id, name: asset.name, level: asset.level, children: treeOf(assets, asset.id) }))
    .sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
}

const levelBelow = (level: AssetLevel): AssetLevel =>
  levels[Math.min(levels.indexOf(level) + 1, levels.length - 1)] ?? 'other';

export default function Assets() {
  const assets = useAssets().data;
  const [selected, setSelected] = useSearchParam('at');
  const mayEdit = useMay('engineer');
  const refresh = useRefresh();
  const tree = useMemo(() => treeOf(assets ?? [], null), [assets]);
  const create = useMutation({
    mutationFn: (parent: Asset | null) =>
      assetsApi.create({
        parent: parent?.id ?? null,
        level: parent === null ? 'enterprise' : levelBelow(parent.level),
        name: freeName(assets ?? [], parent?.id ?? null),
      }),
    onSuccess: (asset) => {
      done(t('assets.created'));
      setSelected(asset.id);
      refresh('assets');
    },
  });
  if (assets === undefined) return <Waiting />;
  const current = assets.find((asset) => asset.id === selected) ?? null;
  return (
    <Page
      full
      title={t('assets.title')}
      testId="assets"
      tools={
        mayEdit && (
          <>
            <span className="ls-grow" />
            <BuildFromPaths />
            <Button variant="default" onClick={() => create.mutate(null)} data-testid="asset-add-top">
              {t('assets.addTop')}
            </Button>
            <Button disabled={current === null} onClick={() => create.mutate(current)} data-testid="asset-add-below">
              {t('assets.addBelow')}
            </Button>
          </>
        )
      }
    >
      {assets.length === 0 ? (
        <Panel>
          <Offer title={t('assets.none')} text={t('assets.noneText')}>
            {mayEdit && <Button onClick={() => create.mutate(null)}>{t('assets.addTop')}</Button>}
          </Offer>
        </Panel>
      ) : (
        <div className="ls-split">
          <Panel pad={false} className="ls-scroll">
            <div style={{ padding: 4 }}>
              <Tree
                items={tree}
                selected={selected}
                onSelect={setSelected}
                label={t('assets.tree')}
                openDepth={4}
                extra={(node) => <span className="ls-count">{t(`level.${node.level}`)}</span>}
              />
            </div>
          </Panel>
          {current === null ? (
            <Panel>
              <Offer title={t('assets.choose')} text={t('assets.chooseText')} />
            </Panel>
          ) : (
            <AssetForm
              key={current.id}
              asset={current}
              assets={assets}
              mayEdit={mayEdit}
              onGone={() => setSelected(null)}
            />
          )}
        </div>
      )}
    </Page>
  );
}

/** Names are unique among brothers: they make the path. */
function freeName(assets: Asset[], parent: string | null): string {
  const taken = new Set(assets.filter((asset) => asset.parent === parent).map((asset) => asset.name));
  let name = t('assets.newName');
  for (let n = 2; taken.has(name); n++) name = `${t('assets.newName')} ${n}`;
  return name;
}

interface FormProps {
  asset: Asset;
  assets: Asset[];
  mayEdit: boolean;
  onGone: () => void;
}

function AssetForm({ asset, assets, mayEdit, onGone }: FormProps) {
  const [name, setName] = useState(asset.name);
  const [level, setLevel] = useState(asset.level);
  const [parent, setParent] = useState(asset.parent);
  const [deleting, setDeleting] = useState(false);
  const devices = (useDevices().data ?? []).filter((device) => device.asset === asset.id);
  const refresh = useRefresh();
  const save = useMutation({
    mutationFn: () => assetsApi.change(asset.id, { name: name.trim(), level, parent }),
    onSuccess: () => {
      done(t('common.saved'));
      refresh('assets');
    },
  });
  const remove = useMutation({
    mutationFn: () => assetsApi.remove(asset.id),
    onSuccess: () => {
      done(t('assets.deleted'));
      refresh('assets', 'devices');
      onGone();
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <div className="ls-stack">
      <Panel
        title={asset.path}
        tools={
          mayEdit && (
            <Button variant="default" size="compact-sm" onClick={() => setDeleting(true)} data-testid="asset-delete">
              {t('assets.delete')}
            </Button>
          )
        }
      >
        <form className="ls-form" onSubmit={submit}>
          <TextInput
            label={t('assets.rename')}
            value={name}
            disabled={!mayEdit}
            error={name.includes('/') ? '/' : undefined}
            onChange={(event) => setName(event.currentTarget.value)}
            data-testid="asset-name"
          />
          <NativeSelect
            label={t('assets.level')}
            value={level}
            disabled={!mayEdit}
            onChange={(event) => setLevel(event.currentTarget.value as AssetLevel)}
            data={levels.map((it) => ({ value: it, label: t(`level.${it}`) }))}
            data-testid="asset-level"
          />
          <AssetSelect
            label={t('assets.parent')}
            noneLabel={t('assets.top')}
            value={parent}
            onChange={setParent}
            without={assetsBelow(assets, asset.id)}
          />
          {mayEdit && (
            <Button
              type="submit"
              loading={save.isPending}
              disabled={name.trim() === '' || name.includes('/')}
              style={{ alignSelf: 'start' }}
              data-testid="asset-save"
            >
              {t('common.save')}
            </Button>
          )}
        </form>
      </Panel>
      {devices.length > 0 && (
        <Panel title={t('assets.devices')}>
          <div className="ls-stack" style={{ gap: 6 }}>
            {devices.map((device) => (
              <Link key={device.id} href={href('device', { id: device.id })}>
                {deviceTitle(device)}
              </Link>
            ))}
          </div>
        </Panel>
      )}
      {deleting && (
        <DestroyDialog
          title={t('assets.delete')}
          text={t('assets.deleteText')}
          name={asset.name}
          confirm={t('assets.delete')}
          onConfirm={() => remove.mutateAsync().catch(() => {})}
          onClose={() => setDeleting(false)}
        />
      )}
    </div>
  );
}

const levelsOfPath: AssetLevel[] = ['enterprise', 'site', 'area', 'line', 'cell', 'unit'];

/** Makes an asset of every path level above a device that is not placed yet, and places the device there. */
function BuildFromPaths() {
  const assets = useAssets().data ?? [];
  const devices = (useDevices().data ?? []).filter(
    (device) => device.asset === null && device.state === 'accepted' && device.name.includes('/'),
  );
  const refresh = useRefresh();
  const build = useMutation({
    mutationFn: async () => {
      const idByPath = new Map(assets.map((asset) => [asset.path, asset.id]));
      let built = 0;
      for (const device of devices) {
        let parent: string | null = null;
        let path = '';
        for (const [depth, name] of device.name.split('/').slice(0, -1).entries()) {
          path = path === '' ? name : `${path}/${name}`;
          const known: string | undefined = idByPath.get(path);
          if (known === undefined) {
            const made: Asset = await assetsApi.create({ parent, level: levelsOfPath[depth] ?? 'other', name });
            idByPath.set(path, made.id);
            built++;
            parent = made.id;
          } else parent = known;
        }
        await devicesApi.change(device.id, { asset: parent });
      }
      return built;
    },
    onSuccess: (count) => done(t('assets.built', { count })),
    onSettled: () => refresh('assets', 'devices'),
  });
  if (devices.length === 0) return null;
  return (
    <Button variant="default" onClick={() => build.mutate()} loading={build.isPending} data-testid="assets-from-paths">
      {t('assets.fromPaths')}
    </Button>
  );
}
