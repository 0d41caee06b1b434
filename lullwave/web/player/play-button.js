/** The big play and pause button, and the space bar, which works wherever it has no other use. */

import { isForPlayer } from './space-bar.js';
import { emit } from '../shared/emit.js';

/** @param {HTMLButtonElement} el @param {{play: string, pause: string}} [words] its labels */
export function PlayButton(el, words = { play: 'Play', pause: 'Pause' }) {
  let wanted = false;

  el.addEventListener('click', () => emit(el, wanted ? 'pause' : 'play'));
  document.addEventListener('keydown', (press) => {
    if (!isForPlayer(press)) return;
    press.preventDefault();
    emit(el, wanted ? 'pause' : 'play');
  });

  return {
    /** @param {{wanted: boolean, busy: boolean}} next */
    update(next) {
      wanted = next.wanted;
      el.classList.toggle('-playing', wanted);
      el.classList.toggle('-busy', next.busy);
      const label = wanted ? words.pause : words.play;
      if (el.getAttribute('aria-label') !== label) el.setAttribute('aria-label', label);
    },
  };
}
