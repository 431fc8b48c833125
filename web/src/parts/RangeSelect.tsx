import { NativeSelect } from '@mantine/core';
import { t } from '../model/text';

const lengths = ['1h', '8h', '24h', '7d', '30d', '365d'] as const;

/** How far back to look, ending now. */
export function RangeSelect({ value, onChange }: { value: string; onChange: (range: string) => void }) {
  return (
    <NativeSelect
      aria-label={t('trend.range')}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      data={lengths.map((it) => ({ value: it, label: t(`lookback.${it}`) }))}
      data-testid="range-select"
    />
  );
}
