/** The volume slider and its mute button. */

import { emit } from '../shared/emit.js';

/** @param {HTMLElement} el @param {ReturnType<import('../shared/strings.js').translator>} t */
export function Volume(el, t) {
  const slider = el.querySelector('.slider');
  const mute = el.querySelector('.mute');
  let before = 0.7;

  slider.addEventListener('input', () => emit(el, 'set-volume', slider.valueAsNumber / 100));
  mute.addEventListener('click', () => {
    emit(el, 'set-volume', slider.valueAsNumber > 0 ? 0 : before);
  });
  // Some phones leave loudness to their buttons, and a slider without effect is worse than none.
  const probe = new Audio();
  probe.volume = 0.5;
  el.hidden = probe.volume !== 0.5;

  return {
    /** @param {{volume: number}} next in 0..1 */
    update({ volume }) {
      if (volume > 0) before = volume;
      const percent = Math.round(volume * 100);
      if (slider.valueAsNumber !== percent) slider.value = String(percent);
      slider.setAttribute('aria-valuetext', t('player.percent', { n: percent }));
      slider.style.setProperty('--filled', `${percent}%`);
      mute.setAttribute('aria-pressed', String(percent === 0));
    },
  };
}
