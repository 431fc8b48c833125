// What is shown, out of the house: as a file in two clicks, as a job, or as a line that asks for the same again.

import { Button, Menu } from '@mantine/core';
import { type HistoryRequest, history } from '../api/endpoints';
import { navigate } from '../model/navigation';
import { href } from '../model/router';
import { type ExportFormat, exportAddress, historyAsCli, historyAsCurl, historyAsPython } from '../model/snippets';
import { t } from '../model/text';
import { complain, done } from '../model/toasts';
import { copyText } from '../parts/Copy';
import { saveAddress, saveBlob } from '../parts/saveFile';

const formats: { format: ExportFormat; name: string }[] = [
  { format: 'csv', name: 'CSV' },
  { format: 'jsonl', name: 'JSON lines' },
  { format: 'parquet', name: 'Parquet' },
];

const fileName = (ending: string): string =>
  `lineshaft-${new Date().toISOString().slice(0, 19).replace(/:/g, '')}.${ending}`;

interface Props {
  request: HistoryRequest;
  /** Of what is drawn: `raw` or a duration. */
  resolution: string;
  /** The lines show something else than means, or a past knowledge: only the answer itself holds that. */
  isSpecial: boolean;
}

export function TrendExport({ request, resolution, isSpecial }: Props) {
  const asShown = (format: ExportFormat): void => {
    if (format === 'csv') history.csv(request).then((blob) => saveBlob(fileName('csv'), blob), complain);
    else saveAddress(fileName(format), exportAddress(request, format, resolution));
  };
  const raw = (format: ExportFormat): void => {
    if (request.knownAt !== undefined) {
      const asked = { ...request, width: undefined, aggregates: undefined, resolution: 'raw' };
      history.csv(asked).then((blob) => saveBlob(fileName('csv'), blob), complain);
    } else saveAddress(fileName(format), exportAddress(request, format, 'raw'));
  };
  const copy = (text: string): void => {
    copyText(text).then(() => done(t('trend.copied')), complain);
  };
  const origin = window.location.origin;
  return (
    <Menu>
      <Menu.Target>
        <Button variant="default" data-testid="trend-export">
          {t('trend.export')}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t('trend.exportShown')}</Menu.Label>
        {formats
          .filter((it) => it.format === 'csv' || !isSpecial)
          .map(({ format, name }) => (
            <Menu.Item
              key={format}
              onClick={() => asShown(format)}
              data-testid={format === 'csv' ? 'export-shown' : `export-shown-${format}`}
            >
              {name}
            </Menu.Item>
          ))}
        <Menu.Label>{t('trend.exportRaw')}</Menu.Label>
        {formats
          .filter((it) => it.format === 'csv' || request.knownAt === undefined)
          .map(({ format, name }) => (
            <Menu.Item
              key={format}
              onClick={() => raw(format)}
              data-testid={format === 'csv' ? 'export-raw' : `export-raw-${format}`}
            >
              {name}
            </Menu.Item>
          ))}
        <Menu.Item onClick={() => navigate(href('transfer', {}, { tag: request.tags }))} data-testid="export-job">
          {t('trend.exportJob')}
        </Menu.Item>
        <Menu.Label>{t('trend.copyAs')}</Menu.Label>
        <Menu.Item onClick={() => copy(window.location.href)} data-testid="copy-link">
          {t('trend.copyLink')}
        </Menu.Item>
        <Menu.Item onClick={() => copy(historyAsCurl(origin, request))} data-testid="copy-curl">
          {t('trend.copyCurl')}
        </Menu.Item>
        <Menu.Item onClick={() => copy(historyAsCli(request))} data-testid="copy-cli">
          {t('trend.copyCli')}
        </Menu.Item>
        <Menu.Item onClick={() => copy(historyAsPython(origin, request))} data-testid="copy-python">
          {t('trend.copyPython')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
