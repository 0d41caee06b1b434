/**
 * The bar at the bottom of the window: play, station, title, request and volume, wherever the page is scrolled to.
 * While the large player is in sight, its controls are not shown a second time.
 */

import { steeringAnswer, withoutEffect } from './wording.js';
import { PlayButton } from '../player/play-button.js';
import { Volume } from '../player/volume.js';
import { emit } from '../shared/emit.js';

const IN_SIGHT = 0.9; // share of the large player that counts as the whole
const BAR_PX = 64; // what the bar covers of the window while it stands beside the large player
const HEARD_MS = 6000; // how long the bar says that a request is heard

/**
 * @param {HTMLElement} el @param {HTMLElement} player the large one
 * @param {ReturnType<import('../shared/strings.js').translator>} t
 */
export function RadioBar(el, player, t) {
  const find = (selector) => el.querySelector(selector);
  const playButton = PlayButton(find('.play-button'), { space: false, labels: { play: t('bar.play'), pause: t('bar.pause') } });
  const volumeSlider = Volume(find('.volume'), t);
  const input = find('.input');
  const answer = find('.answer');
  let asked = null; // the last request that was sent from here
  let parting = 0;

  new IntersectionObserver(
    (entries) => el.classList.toggle('-beside-player', entries.at(-1).intersectionRatio >= IN_SIGHT),
    { threshold: IN_SIGHT, rootMargin: `0px 0px -${BAR_PX}px 0px` },
  ).observe(player);

  find('.request').addEventListener('submit', (event) => {
    event.preventDefault();
    const prompt = input.value.trim();
    if (!prompt) return;
    clearTimeout(parting);
    parting = 0;
    asked = prompt;
    emit(el, 'steer', { prompt, token: '' });
  });

  return {
    focus: () => input.focus(),
    /**
     * `allowed`: the station takes requests from this listener without a token. `trouble`: why nothing is heard; it takes the
     * place of the station's name.
     *
     * @param {{wanted: boolean, busy: boolean, volume: number, station: string, title: string, allowed: boolean,
     *   trouble: string, steering: import('../station/steering-state.js').SteeringState}} next
     */
    update({ wanted, busy, volume, station, title, allowed, trouble, steering }) {
      playButton.update({ wanted, busy });
      volumeSlider.update({ volume });
      put(find('.station'), trouble || station);
      el.classList.toggle('-troubled', trouble !== '');
      put(find('.title'), title);
      find('.request').hidden = !allowed;
      const mine = steering.phase !== 'idle' && steering.prompt === asked;
      const sent = ['turning', 'queued', 'voted'].includes(steering.phase);
      if (mine && sent && input.value.trim() === asked) input.value = '';
      if (mine && steering.phase === 'heard' && !parting) parting = setTimeout(part, HEARD_MS);
      answer.hidden = !mine;
      put(answer, mine ? [steeringAnswer(t, steering), withoutEffect(t, steering)].filter(Boolean).join(' ') : '');
    },
  };

  function part() {
    asked = null;
    parting = 0;
  }
}

function put(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
