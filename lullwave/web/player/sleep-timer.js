/** The sleep timer: fades the music out after a while of listening. */

import { clock } from '../radio/wording.js';
import { emit } from '../shared/emit.js';

/** @param {HTMLElement} el */
export function SleepTimer(el) {
  const left = el.querySelector('.left');
  const choices = [...el.querySelectorAll('.choice')];
  for (const choice of choices) {
    choice.addEventListener('click', () => {
      emit(el, 'set-sleep', choice.value === '' ? null : Number(choice.value));
    });
  }

  return {
    /** @param {import('./sleep-state.js').SleepState} next */
    update({ remainingS, minutes }) {
      const words = remainingS === null ? 'Plays until you stop it.' : `Fades out in ${clock(remainingS)} of music.`;
      if (left.textContent !== words) left.textContent = words;
      for (const choice of choices) {
        const asked = choice.value === '' ? null : Number(choice.value);
        choice.setAttribute('aria-pressed', String(asked === minutes));
      }
    },
  };
}
