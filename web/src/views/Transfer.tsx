// Data out as files, data in from files: jobs of the server, which go on when this page is closed.

import { Tabs } from '@mantine/core';
import { useSearchParam } from '../model/navigation';
import { useMay } from '../model/roles';
import { t } from '../model/text';
import { Page } from '../parts/Page';
import { Exports } from './Exports';
import { Imports } from './Imports';

export default function Transfer() {
  const [tab, setTab] = useSearchParam('tab', 'export');
  const mayImport = useMay('engineer');
  return (
    <Page
      title={t('nav.transfer')}
      testId="transfer"
      tools={
        <Tabs value={tab} onChange={setTab} className="ls-grow">
          <Tabs.List>
            <Tabs.Tab value="export" data-testid="tab-export">
              {t('transfer.export')}
            </Tabs.Tab>
            {mayImport && (
              <Tabs.Tab value="import" data-testid="tab-import">
                {t('transfer.import')}
              </Tabs.Tab>
            )}
          </Tabs.List>
        </Tabs>
      }
    >
      {tab === 'import' && mayImport ? <Imports /> : <Exports />}
    </Page>
  );
}
