// How long a tag was in which state, over what is shown.

import { useQuery } from '@tanstack/react-query';
import { samples as samplesApi } from '../api/dataEndpoints';
import { formatDuration, formatShare, formatTime } from '../model/format';
import { stateSums } from '../model/missing';
import { t } from '../model/text';
import type { TimeRange } from '../model/timeRange';
import { Bar } from '../parts/Bar';
import { Dialog } from '../parts/Dialog';
import { Waiting } from '../parts/Page';

interface Props {
  path: string;
  range: TimeRange;
  knownAt: string;
  onClose: () => void;
}

const shownMax = 200;

export default function StatesDialog({ path, range, knownAt, onClose }: Props) {
  const answer = useQuery({
    queryKey: ['states', path, range, knownAt],
    queryFn: () => samplesApi.states([path], range.fromMs, range.toMs, knownAt),
  });
  const sums = stateSums(answer.data?.[0]?.states ?? []);
  return (
    <Dialog title={t('states.title', { tag: path })} onClose={onClose} size="lg">
      <div className="ls-stack">
        <span className="ls-dim ls-small">
          {formatTime(range.fromMs)} – {formatTime(range.toMs)}
        </span>
        {answer.isError ? (
          <span className="ls-problem">{answer.error.message}</span>
        ) : answer.data === undefined ? (
          <Waiting />
        ) : sums.length === 0 ? (
          <span className="ls-dim">{t('trend.noData')}</span>
        ) : (
          <div className="ls-scroll" style={{ maxHeight: 420 }}>
            <table className="ls-table" data-testid="states-table">
              <thead>
                <tr>
                  <th>{t('states.state')}</th>
                  <th className="right">{t('states.time')}</th>
                  <th className="right">{t('states.share')}</th>
                  <th />
                  <th className="right">{t('states.entered')}</th>
                </tr>
              </thead>
              <tbody>
                {sums.slice(0, shownMax).map((sum) => (
                  <tr key={sum.text}>
                    <td>{sum.text}</td>
                    <td className="right ls-num">{formatDuration(sum.seconds)}</td>
                    <td className="right ls-num">{formatShare(sum.share)}</td>
                    <td>
                      <Bar share={sum.share} />
                    </td>
                    <td className="right ls-num">{sum.count.toLocaleString('en-US')}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            {sums.length > shownMax && (
              <span className="ls-dim ls-small">{t('common.more', { count: sums.length - shownMax })}</span>
            )}
          </div>
        )}
      </div>
    </Dialog>
  );
}
