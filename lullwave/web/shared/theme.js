/** Light, dark, or as the system has it. */

import { emit } from './emit.js';

const NEXT = { auto: 'dark', dark: 'light', light: 'auto' };
const LABEL = { auto: 'Colours: as the system', dark: 'Colours: dark', light: 'Colours: light' };

/** @param {HTMLButtonElement} el @param {typeof LABEL} [labels] in the page's language */
export function Theme(el, labels = LABEL) {
  let theme = 'auto';
  el.addEventListener('click', () => emit(el, 'set-theme', NEXT[theme]));
  return {
    /** @param {{theme: 'auto' | 'dark' | 'light'}} next */
    update(next) {
      theme = next.theme in NEXT ? next.theme : 'auto';
      document.documentElement.dataset.theme = theme;
      el.setAttribute('aria-label', labels[theme]);
      el.title = labels[theme];
    },
  };
}

/** Whether the page is dark right now. */
export function isDark() {
  const { theme } = document.documentElement.dataset;
  if (theme === 'dark' || theme === 'light') return theme === 'dark';
  return matchMedia('(prefers-color-scheme: dark)').matches;
}
