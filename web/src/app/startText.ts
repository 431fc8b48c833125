import i18next from 'i18next';
import en from './locales/en.json';

/** Synchronous, since the catalogue is part of the bundle: no screen is drawn without its words. */
export function startText(): void {
  void i18next.init({
    lng: 'en',
    fallbackLng: 'en',
    initAsync: false,
    // Keys such as "telemetry:write" hold a colon.
    nsSeparator: false,
    interpolation: { escapeValue: false },
    resources: { en: { translation: en } },
  });
}
