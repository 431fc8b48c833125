// Priority as shape, number and colour at once, so that none of them has to carry the meaning alone.

import type { Priority } from '../api/types';
import { t } from '../model/text';

const shapes: Record<Priority, { path: string; halo: string; textY: number }> = {
  1: { path: 'M4 4h16v16H4z', halo: 'M1.5 1.5h21v21h-21z', textY: 16.3 },
  2: { path: 'M12 2.5 22 20.5H2z', halo: 'M12 -1 24.5 22.5h-25z', textY: 18 },
  3: { path: 'M12 21.5 2 3.5h20z', halo: 'M12 25 -.5 1.5h25z', textY: 13.5 },
  4: { path: 'M12 1.5 22.5 12 12 22.5 1.5 12z', halo: 'M12 -1.5 25.5 12 12 25.5 -1.5 12z', textY: 16.3 },
};

interface Props {
  priority: Priority;
  unacknowledged?: boolean;
  big?: boolean;
}

export function AlarmBadge({ priority, unacknowledged = false, big = false }: Props) {
  const shape = shapes[priority];
  const words = t(`priority.${priority}`);
  const name = unacknowledged ? t('alarm.badgeUnacknowledged', { priority: words }) : words;
  return (
    <svg
      className={`ls-badge${unacknowledged ? ' unacknowledged' : ''}${big ? ' big' : ''}`}
      viewBox="-3 -3 30 30"
      role="img"
      aria-label={name}
    >
      <title>{name}</title>
      <path className="halo" d={shape.halo} />
      <path className="shape" d={shape.path} fill={`var(--ls-alarm-${priority})`} />
      <text x="12" y={shape.textY} fill={`var(--ls-alarm-${priority}-ink)`}>
        {priority}
      </text>
    </svg>
  );
}
