// All words on the screen come from the catalogue src/app/locales/en.json through `t`.

import i18next from 'i18next';

export const t = i18next.t.bind(i18next) as typeof i18next.t;

/** The words of screens that are fetched later. */
export function addWords(words: object): void {
  i18next.addResourceBundle('en', 'translation', words, true);
}
