import type { JobState as State } from '../api/dataTypes';
import { t } from '../model/text';
import { StateMark } from './Page';

const kinds = { uploading: 'part', waiting: 'off', running: 'part', done: 'on', failed: 'bad' } as const;

export function JobState({ state, error }: { state: State; error: string | null }) {
  return (
    <StateMark kind={kinds[state]} title={error ?? undefined}>
      {t(`job.${state}`)}
    </StateMark>
  );
}
