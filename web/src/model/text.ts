// All words on the screen come from the catalogue src/app/locales/en.json through `t`.

import i18next from 'i18next';

export const t = i18next.t.bind(i18next) as typeof i18next.t;
