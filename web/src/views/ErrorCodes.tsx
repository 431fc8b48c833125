// Every error code with its remedy: where the links of problem answers lead.

import { TextInput } from '@mantine/core';
import { useEffect } from 'react';
import source from '../../../api/errors.toml?raw';
import { parseErrorCodes } from '../model/errorCodes';
import { useRoute, useSearchParam } from '../model/navigation';
import { t } from '../model/text';
import { matches } from '../model/tree';
import { Page, Panel } from '../parts/Page';

const codes = parseErrorCodes(source);

export default function ErrorCodes() {
  const [search, setSearch] = useSearchParam('q');
  const { hash } = useRoute();
  useEffect(() => {
    document.getElementById(hash)?.scrollIntoView({ block: 'center' });
  }, [hash]);
  const shown = codes.filter((it) => search === '' || matches(`${it.code} ${it.name} ${it.says} ${it.remedy}`, search));
  return (
    <Page
      title={t('errors.title')}
      testId="errors"
      tools={
        <TextInput
          data-search
          aria-label={t('errors.search')}
          placeholder={t('errors.search')}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
      }
    >
      <Panel pad={false}>
        <table className="ls-table">
          <tbody>
            {shown.map((it) => (
              <tr key={it.code} id={it.code} className={it.code === hash ? 'chosen' : ''}>
                <td className="ls-mono">{it.code}</td>
                <td className="ls-dim ls-num">{it.status || ''}</td>
                <td className="wrap">
                  <strong>{it.says}</strong>
                  <div>
                    <span className="ls-dim">{t('errors.remedy')}: </span>
                    {it.remedy}
                    {it.retry && <span className="ls-dim"> {t('errors.retry')}</span>}
                  </div>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Panel>
    </Page>
  );
}
