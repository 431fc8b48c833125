import { Kbd } from '@mantine/core';
import { t } from '../model/text';
import { Dialog } from '../parts/Dialog';

const keys = [
  ['/', 'search'],
  ['Ctrl-K', 'palette'],
  ['g o', 'overview'],
  ['g t', 'trend'],
  ['g a', 'alarms'],
  ['g d', 'devices'],
  ['g q', 'quality'],
  ['g f', 'questions'],
  ['g e', 'transfer'],
  ['g h', 'storage'],
  ['g s', 'system'],
  ['a', 'acknowledge'],
  ['.', 'timeRange'],
  ['← →', 'pan'],
  ['+ −', 'zoom'],
  ['?', 'help'],
  ['Esc', 'close'],
] as const;

export default function KeyHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t('keys.title')} onClose={onClose}>
      <dl className="ls-facts">
        {keys.map(([key, name]) => (
          <div key={key} style={{ display: 'contents' }}>
            <dt>
              {key.split(' ').map((part) => (
                <Kbd key={part} mr={4}>
                  {part}
                </Kbd>
              ))}
            </dt>
            <dd>{t(`keys.${name}`)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
