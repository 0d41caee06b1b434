/** The cat who meows when she is spoken to; hearts rise, and a hundred meows make a friend. */

import { AWAKE_CAT, TUXEDO } from './cat-sprites.js';
import { audioContext } from '../shared/audio-context.js';
import { meow } from './meow-sound.js';
import { catHint, meowed, remembered } from './meow-state.js';
import { PixelCanvas } from './pixel-canvas.js';

/** How much of the time she has her eyes closed, and her tail up. */
const MOODS = { sleepy: { blinks: 0.45, wags: 0.04 }, calm: { blinks: 0.08, wags: 0.12 }, lively: { blinks: 0.04, wags: 0.5 } };

/**
 * @param {HTMLElement} el @param {ReturnType<typeof import('../shared/preferences.js').Preferences>} preferences
 * @param {ReturnType<import('../shared/strings.js').translator>} t
 */
export function MeowingCat(el, preferences, t) {
  const button = el.querySelector('.cat');
  const hearts = el.querySelector('.hearts');
  const hint = el.querySelector('.hint');
  const award = el.querySelector('.award');
  const picture = PixelCanvas(el.querySelector('.picture'), TUXEDO);
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  let state = remembered(preferences.read('meows', 0));
  let volume = 0.7;
  let mood = 'calm';
  let busyUntil = 0;

  picture.update(AWAKE_CAT.calm);
  showHint();
  setInterval(idle, 450);

  button.addEventListener('click', () => {
    state = meowed(state);
    preferences.write('meows', state.meows);
    const context = audioContext();
    const length = context ? meow(context, volume) : 0.5;
    busyUntil = performance.now() + length * 1000;
    picture.update(AWAKE_CAT.meow);
    if (hearts.childElementCount < 12) hearts.append(heart());
    showHint();
    if (state.justEarned) award.classList.add('-earned');
    if (state.justEarned) award.textContent = t('scene.award');
  });

  return {
    /** @param {{volume: number, mood: import('../landscape/landscape.js').Scenery['mood']}} next what plays is sleepy or lively */
    update(next) {
      volume = next.volume;
      mood = next.mood;
    },
  };

  function showHint() {
    hint.textContent = catHint(t, state);
    button.setAttribute('aria-label', t('scene.cat', { hint: catHint(t, state) }));
    el.classList.toggle('-friends', state.meows >= 100);
  }

  function idle() {
    if (performance.now() < busyUntil || document.hidden) return;
    const chance = still.matches ? 1 : Math.random();
    const { blinks, wags } = MOODS[mood];
    picture.update(chance < blinks ? AWAKE_CAT.blink : chance < blinks + wags ? AWAKE_CAT.wag : AWAKE_CAT.calm);
  }

  function heart() {
    const one = document.createElement('span');
    one.className = 'heart';
    one.style.setProperty('--drift', `${Math.round(Math.random() * 40 - 20)}px`);
    one.addEventListener('animationend', () => one.remove());
    return one;
  }
}
