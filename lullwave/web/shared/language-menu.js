/** The language of the pages: a choice is remembered, and the page comes again in it. */

import { LANGUAGES } from './strings.js';

/**
 * @param {HTMLElement} el holds a `select` @param {ReturnType<import('./preferences.js').Preferences>} preferences
 * @param {string} language the page's
 */
export function LanguageMenu(el, preferences, language) {
  const select = el.querySelector('select');
  select.replaceChildren(...Object.entries(LANGUAGES).map(([code, name]) => new Option(name, code, false, code === language)));
  select.addEventListener('change', () => {
    preferences.write('language', select.value);
    location.reload();
  });
}
