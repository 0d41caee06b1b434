/** How many people are tuned in. */

import { tunedIn } from '../radio/wording.js';

/** @param {HTMLElement} el */
export function Listeners(el) {
  const text = el.querySelector('.text');
  return {
    /** @param {{count: number | null}} next */
    update({ count }) {
      const words = tunedIn(count);
      if (text.textContent !== words) text.textContent = words;
      el.classList.toggle('-unknown', count === null);
    },
  };
}
