/** How many people are tuned in. */

import { tunedIn } from '../radio/wording.js';

/** @param {HTMLElement} el @param {ReturnType<import('../shared/strings.js').translator>} t */
export function Listeners(el, t) {
  const text = el.querySelector('.text');
  return {
    /** @param {{count: number | null}} next */
    update({ count }) {
      const words = tunedIn(t, count);
      if (text.textContent !== words) text.textContent = words;
      el.classList.toggle('-unknown', count === null);
    },
  };
}
