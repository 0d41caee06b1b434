/** The state of the connection in one line, and the next try: a countdown, and a button for those who do not want to wait. */

import { retryInS } from './player-state.js';
import { playerStatus } from '../radio/wording.js';
import { emit } from '../shared/emit.js';

/**
 * @param {HTMLElement} el @param {HTMLButtonElement} tryNow
 * @param {ReturnType<import('../shared/strings.js').translator>} t
 */
export function PlayerStatus(el, tryNow, t) {
  const text = el.querySelector('.text');
  const count = el.querySelector('.count');
  tryNow.addEventListener('click', () => emit(tryNow, 'try-now'));

  return {
    /**
     * @param {{player: import('./player-state.js').PlayerState, station: string | undefined, elsewhere: boolean, now: number}} next
     *   `now`: the player's clock in milliseconds
     */
    update({ player, station, elsewhere, now }) {
      const leftS = retryInS(player, now);
      const waits = leftS !== null && player.online;
      put(text, playerStatus(t, player, station, elsewhere));
      put(count, waits && leftS > 0 ? t('player.seconds', { n: leftS }) : '');
      tryNow.hidden = !waits;
      el.dataset.phase = player.phase;
    },
  };
}

function put(target, words) {
  if (target.textContent !== words) target.textContent = words;
}
