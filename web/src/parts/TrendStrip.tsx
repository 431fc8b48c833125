// Under the chart: for each tag where something is missing, and why.

import type { Completeness, MissingReason } from '../api/dataTypes';
import { formatShare } from '../model/format';
import { reasons, receivedShare, stripPieces } from '../model/missing';
import { t } from '../model/text';
import type { TimeRange } from '../model/timeRange';
import type { TrendTag } from './trendOptions';

interface Props {
  tags: TrendTag[];
  completeness: Map<string, Completeness>;
  range: TimeRange;
  /** Of the plotting area above, in pixels from both edges. */
  inset: { left: number; right: number };
}

export function TrendStrip({ tags, completeness, range, inset }: Props) {
  const rows = tags.map((tag) => {
    const known = completeness.get(tag.path);
    return { tag, pieces: stripPieces(known, range), share: receivedShare(known), known };
  });
  const present = new Set<MissingReason>(rows.flatMap((row) => row.pieces.map((piece) => piece.reason)));
  return (
    <div className="ls-strip-rows" data-testid="trend-strip">
      {rows.map(({ tag, pieces, share, known }) => (
        <div
          key={tag.path}
          className="ls-strip-row"
          style={{ marginLeft: inset.left, marginRight: inset.right, color: tag.color }}
          title={known === undefined ? undefined : stripTitle(tag.path, share)}
          role="img"
          aria-label={`${stripTitle(tag.path, share)} ${pieces.map((piece) => piece.text).join(' ')}`}
        >
          {pieces.map((piece) => (
            <i
              key={`${piece.left} ${piece.reason}`}
              data-reason={piece.reason}
              style={{ left: `${piece.left * 100}%`, width: `${piece.width * 100}%` }}
              title={piece.text}
              data-testid="strip-piece"
            />
          ))}
        </div>
      ))}
      {present.size > 0 && (
        <span className="ls-legend ls-small" style={{ marginLeft: inset.left }}>
          {reasons
            .filter((reason) => present.has(reason))
            .map((reason) => (
              <span key={reason}>
                <i className="ls-reason" data-reason={reason} />
                {t(`missing.reason.${reason}`)}
              </span>
            ))}
        </span>
      )}
    </div>
  );
}

const stripTitle = (path: string, share: number | null): string =>
  share === null
    ? t('missing.noCadence', { tag: path })
    : t('missing.received', { tag: path, share: formatShare(share) });
