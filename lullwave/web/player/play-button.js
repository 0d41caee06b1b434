/** The big play and pause button, and the space bar, which works wherever it has no other use. */

import { isForPlayer } from './space-bar.js';
import { emit } from '../shared/emit.js';

/**
 * @param {HTMLButtonElement} el
 * @param {{space?: boolean, labels: {play: string, pause: string}}} options `space`: the button takes the space bar, too
 */
export function PlayButton(el, { space = true, labels }) {
  let wanted = false;

  el.addEventListener('click', () => emit(el, wanted ? 'pause' : 'play'));
  if (space) {
    document.addEventListener('keydown', (press) => {
      if (!isForPlayer(press)) return;
      press.preventDefault();
      emit(el, wanted ? 'pause' : 'play');
    });
  }

  return {
    /** @param {{wanted: boolean, busy: boolean}} next */
    update(next) {
      wanted = next.wanted;
      el.classList.toggle('-playing', wanted);
      el.classList.toggle('-busy', next.busy);
      const label = wanted ? labels.pause : labels.play;
      if (el.getAttribute('aria-label') !== label) el.setAttribute('aria-label', label);
    },
  };
}
