/** What the listener should know: falling behind, a refusal, a failure; with buttons for what can be done. */

import { emit } from '../../shared/emit.js';

/** @param {HTMLElement} el */
export function Notice(el) {
  let shown = '';

  return {
    /** @param {{what: string, todo: string, actions: [string, string][]} | null} notice actions: event and label */
    update(notice) {
      el.hidden = notice === null;
      const now = JSON.stringify(notice);
      if (now === shown) return;
      shown = now;
      el.querySelector('.what').textContent = notice?.what ?? '';
      el.querySelector('.todo').textContent = notice?.todo ?? '';
      el.querySelector('.actions').replaceChildren(...(notice?.actions ?? []).map(([name, label]) => action(name, label)));
    },
  };

  function action(name, label) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'pill';
    button.textContent = label;
    button.addEventListener('click', () => emit(el, name));
    return button;
  }
}
