// Says that what is on the screen is no longer live, and since when.

import { useEffect, useState, useSyncExternalStore } from 'react';
import { formatAge, formatTimeShort } from '../model/format';
import { live } from '../model/live';
import { queryClient } from '../model/queries';
import { t } from '../model/text';
import { everySecond } from '../parts/visibility';

export function ConnectionBanner() {
  const state = useSyncExternalStore(live.onLinkState, live.linkState);
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    document.documentElement.dataset.link = state;
    // What was read while the link was down may be old.
    if (state === 'live') void queryClient.invalidateQueries();
    if (state !== 'lost') return;
    setNowMs(Date.now());
    return everySecond(() => setNowMs(Date.now()));
  }, [state]);
  if (state !== 'lost') return null;
  const since = live.lostSince();
  return (
    <div className="ls-banner" role="alert" data-testid="connection-banner">
      {since === 0 ? t('link.never') : t('link.lost', { time: formatTimeShort(since), age: formatAge(nowMs - since) })}
    </div>
  );
}
