import 'i18next';
import type catalogue from '../app/locales/en.json';
import type history from '../app/locales/history.json';
import type later from '../app/locales/later.json';

// Makes an unknown key a compile error.
declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'translation';
    nsSeparator: false;
    resources: { translation: typeof catalogue & typeof history & typeof later };
  }
}
