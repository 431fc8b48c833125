import { formatDuration, formatShare } from '../model/format';
import { t } from '../model/text';

interface Props {
  /** 0 … 1; null: it goes on, nobody knows how far. */
  share: number | null;
  secondsLeft?: number | null;
  label: string;
}

export function Progress({ share, secondsLeft = null, label }: Props) {
  return (
    <span className="ls-row tight">
      <progress className="ls-progress" aria-label={label} max={1} value={share ?? undefined} />
      <span className="ls-num ls-small">{share === null ? '' : formatShare(share)}</span>
      {secondsLeft !== null && (
        <span className="ls-dim ls-small">{t('job.left', { time: formatDuration(secondsLeft) })}</span>
      )}
    </span>
  );
}
