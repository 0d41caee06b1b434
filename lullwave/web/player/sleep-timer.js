/** The sleep timer: fades the music out after a while of listening. */

import { clock } from '../radio/wording.js';
import { emit } from '../shared/emit.js';

/** @param {HTMLElement} el @param {ReturnType<import('../shared/strings.js').translator>} t */
export function SleepTimer(el, t) {
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
      const words = remainingS === null ? t('sleep.open-ended') : t('sleep.left', { time: clock(remainingS) });
      if (left.textContent !== words) left.textContent = words;
      for (const choice of choices) {
        const asked = choice.value === '' ? null : Number(choice.value);
        choice.setAttribute('aria-pressed', String(asked === minutes));
      }
    },
  };
}
