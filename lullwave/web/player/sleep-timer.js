/** The sleep timer: fades the music out after a while of listening. */

import { clock } from '../radio/wording.js';
import { emit } from '../shared/emit.js';

/** @param {HTMLElement} el */
export function SleepTimer(el) {
  const left = el.querySelector('.left');
  const choices = [...el.querySelectorAll('.choice')];
  let minutes = null;

  for (const choice of choices) {
    choice.addEventListener('click', () => {
      const asked = choice.value === '' ? null : Number(choice.value);
      minutes = asked;
      emit(el, 'set-sleep', asked);
    });
  }

  return {
    /** @param {{remainingS: number | null}} next */
    update({ remainingS }) {
      if (remainingS === null) minutes = null;
      const words = remainingS === null ? 'Plays until you stop it.' : `Fades out in ${clock(remainingS)} of music.`;
      if (left.textContent !== words) left.textContent = words;
      for (const choice of choices) {
        const asked = choice.value === '' ? null : Number(choice.value);
        choice.setAttribute('aria-pressed', String(asked === minutes));
      }
    },
  };
}
