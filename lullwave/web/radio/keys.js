/** The keys of the radio, and the dialog that lists them and switches them off. */

import { actionOf } from './keys-state.js';

/**
 * @param {HTMLDialogElement} el @param {HTMLButtonElement} opener
 * @param {ReturnType<import('../shared/preferences.js').Preferences>} preferences
 * @param {Record<'play' | 'mute' | 'full-window' | 'request' | 'station', (index: number) => void>} actions
 */
export function Keys(el, opener, preferences, actions) {
  const enabled = el.querySelector('.enabled');
  const list = () => el.showModal();

  enabled.checked = preferences.read('keys', true);
  enabled.addEventListener('change', () => preferences.write('keys', enabled.checked));
  opener.addEventListener('click', list);
  document.addEventListener('keydown', (press) => {
    const action = enabled.checked ? actionOf(press) : null;
    if (!action || document.querySelector('dialog[open]')) return;
    press.preventDefault();
    if (action.kind === 'list') list();
    else actions[action.kind](action.index);
  });
}
