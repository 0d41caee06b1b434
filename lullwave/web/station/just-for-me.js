/** Just for me: a button that leads into a private stream and back, and the line that says who hears it. */

import { emit } from '../shared/emit.js';
import { shownAs } from './private-state.js';

/** @param {HTMLElement} el @param {(key: string, values?: object) => string} t */
export function JustForMe(el, t) {
  const state = el.querySelector('.state');
  const button = el.querySelector('.switch');
  let isOn = false;

  button.addEventListener('click', () => {
    if (button.getAttribute('aria-disabled') === 'true') return;
    emit(el, isOn ? 'leave-private' : 'go-private');
  });

  return {
    /** @param {{stream: import('./private-state.js').PrivateState, offered: boolean}} next */
    update({ stream, offered }) {
      const { said, button: words, isPrivate, busy } = shownAs(stream, t);
      el.hidden = !offered && !said;
      isOn = isPrivate;
      el.classList.toggle('-on', isPrivate);
      button.setAttribute('aria-disabled', String(busy)); // it keeps the keyboard's place
      if (state.textContent !== said) state.textContent = said;
      if (button.textContent !== words) button.textContent = words;
    },
  };
}
