/**
 * The bar at the bottom of the window: play, station, title, request and volume, wherever the page is scrolled to.
 * While the large player is in sight, its controls are not shown a second time.
 */

import { steeringAnswer, withoutEffect } from './wording.js';
import { PlayButton } from '../player/play-button.js';
import { Volume } from '../player/volume.js';
import { emit } from '../shared/emit.js';

/**
 * @param {HTMLElement} el @param {HTMLElement} player the large one
 * @param {ReturnType<import('../shared/strings.js').translator>} t
 */
export function RadioBar(el, player, t) {
  const find = (selector) => el.querySelector(selector);
  const playButton = PlayButton(find('.play-button'), { space: false, labels: { play: t('bar.play'), pause: t('bar.pause') } });
  const volumeSlider = Volume(find('.volume'));
  const input = find('.input');
  const answer = find('.answer');
  let asked = false; // the last request was sent from here

  new IntersectionObserver(([entry]) => el.classList.toggle('-beside-player', entry.isIntersecting), {
    threshold: 0.9,
  }).observe(player);

  find('.request').addEventListener('submit', (event) => {
    event.preventDefault();
    const prompt = input.value.trim();
    if (!prompt) return;
    emit(el, 'steer', { prompt, token: '' });
    asked = true;
  });

  return {
    focusRequest: () => input.focus(),
    /**
     * @param {{wanted: boolean, busy: boolean, volume: number, station: string, title: string, policy: string | null,
     *   steering: import('../station/steering-state.js').SteeringState}} next
     */
    update({ wanted, busy, volume, station, title, policy, steering }) {
      playButton.update({ wanted, busy });
      volumeSlider.update({ volume });
      put(find('.station'), station);
      put(find('.title'), title);
      find('.request').hidden = policy === null;
      const sent = ['turning', 'queued', 'voted'].includes(steering.phase);
      if (asked && sent && input.value.trim() === steering.prompt) input.value = '';
      asked &&= steering.phase !== 'idle';
      answer.hidden = !asked;
      put(answer, asked ? [steeringAnswer(steering), withoutEffect(steering)].filter(Boolean).join(' ') : '');
    },
  };
}

function put(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
