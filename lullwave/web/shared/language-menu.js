/** The language of the pages: a choice is remembered, and the page comes again in it. */

import { LANGUAGES } from './strings.js';

/** @param {HTMLElement} el holds a `select` @param {ReturnType<import('./preferences.js').Preferences>} preferences */
export function LanguageMenu(el, preferences) {
  const select = el.querySelector('select');
  const { lang } = document.documentElement;
  select.replaceChildren(...Object.entries(LANGUAGES).map(([code, name]) => new Option(name, code, false, code === lang)));
  select.addEventListener('change', () => {
    preferences.write('language', select.value);
    location.reload();
  });
}
