/** The cat who sleeps on the sill, and breathes. */

import { SLEEPING, TABBY } from './cat-sprites.js';
import { PixelCanvas } from './pixel-canvas.js';

const BREATH_MS = 1_400;

/** @param {HTMLElement} el */
export function SleepingCat(el) {
  const picture = PixelCanvas(el.querySelector('.picture'), TABBY);
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  let breath = 0;
  picture.update(SLEEPING[0]);
  setInterval(() => {
    if (still.matches || document.hidden) return;
    breath = 1 - breath;
    picture.update(SLEEPING[breath]);
  }, BREATH_MS);

  return {
    /** @param {{playing: boolean}} next she dreams deeper with music */
    update({ playing }) {
      el.classList.toggle('-dreaming', playing);
    },
  };
}
