// What can be done at a spot of the chart: opened by right-click or a long press.

import { useEffect, useRef } from 'react';
import { formatNumber, formatTime } from '../model/format';
import { t } from '../model/text';
import type { ChartSpot } from './TrendChart';

interface Props {
  spot: ChartSpot;
  unit: string;
  onAlarm: ((direction: 'above' | 'below') => void) | null;
  onOnly: (() => void) | null;
  onChangeData: (() => void) | null;
  onClose: () => void;
}

const width = 260;

export function SpotMenu({ spot, unit, onAlarm, onOnly, onChangeData, onClose }: Props) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    ref.current?.querySelector('button')?.focus();
    const close = (event: Event): void => {
      if (event instanceof KeyboardEvent ? event.key === 'Escape' : !ref.current?.contains(event.target as Node))
        onClose();
    };
    window.addEventListener('pointerdown', close);
    window.addEventListener('keydown', close);
    return () => {
      window.removeEventListener('pointerdown', close);
      window.removeEventListener('keydown', close);
    };
  }, [onClose]);
  const run = (action: () => void): void => {
    onClose();
    action();
  };
  const value = formatNumber(spot.value);
  const left = Math.min(spot.clientX, window.innerWidth - width - 8);
  const top = Math.min(spot.clientY, window.innerHeight - 210);
  return (
    <div ref={ref} className="ls-menu" style={{ left, top, width }} role="menu" data-testid="spot-menu">
      <div className="ls-dim ls-small ls-cut" style={{ padding: '4px 10px' }}>
        {spot.path.split('/').slice(-2).join('/')} · {formatTime(spot.timeMs)}
      </div>
      {onAlarm !== null && (
        <>
          <button type="button" role="menuitem" onClick={() => run(() => onAlarm('above'))} data-testid="alarm-above">
            {t('trend.alarmAbove', { value, unit })}
          </button>
          <button type="button" role="menuitem" onClick={() => run(() => onAlarm('below'))} data-testid="alarm-below">
            {t('trend.alarmBelow', { value, unit })}
          </button>
        </>
      )}
      {onOnly !== null && (
        <button type="button" role="menuitem" onClick={() => run(onOnly)}>
          {t('trend.onlyThis')}
        </button>
      )}
      {onChangeData !== null && (
        <button type="button" role="menuitem" onClick={() => run(onChangeData)} data-testid="change-data">
          {t('change.title')}
        </button>
      )}
    </div>
  );
}
