import { NativeSelect } from '@mantine/core';
import { useAssets } from '../model/queries';
import { t } from '../model/text';

interface Props {
  value: string | null;
  onChange: (asset: string | null) => void;
  label?: string;
  noneLabel?: string;
  /** Assets that cannot be chosen, such as those below what is being moved. */
  without?: Set<string>;
}

export function AssetSelect({ value, onChange, label, noneLabel, without }: Props) {
  const assets = useAssets().data ?? [];
  const options = assets
    .filter((asset) => !without?.has(asset.id))
    .map((asset) => ({ value: asset.id, label: asset.path }))
    .sort((a, b) => a.label.localeCompare(b.label, undefined, { numeric: true }));
  return (
    <NativeSelect
      label={label}
      aria-label={label ?? t('devices.place')}
      value={value ?? ''}
      onChange={(event) => onChange(event.currentTarget.value === '' ? null : event.currentTarget.value)}
      data={[{ value: '', label: noneLabel ?? t('devices.placeNowhere') }, ...options]}
      data-testid="asset-select"
    />
  );
}
