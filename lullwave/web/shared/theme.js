/** Light, dark, or as the system has it. */

import { emit } from './emit.js';

const NEXT = { auto: 'dark', dark: 'light', light: 'auto' };

/** @param {HTMLButtonElement} el @param {ReturnType<import('./strings.js').translator>} t */
export function Theme(el, t) {
  const labels = { auto: t('theme.auto'), dark: t('theme.dark'), light: t('theme.light') };
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
