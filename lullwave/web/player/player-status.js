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

  function said(player, station, elsewhere, now) {
    const leftS = retryInS(player, now);
    const waits = leftS !== null && player.online;
    const seconds = waits && leftS > 0 ? t('player.seconds', { n: leftS }) : '';
    return { words: playerStatus(t, player, station, elsewhere), seconds, waits };
  }

  return {
    /**
     * @param {{player: import('./player-state.js').PlayerState, station: string | undefined, elsewhere: boolean, now: number}} next
     *   `now`: the player's clock in milliseconds
     */
    update({ player, station, elsewhere, now }) {
      const { words, seconds, waits } = said(player, station, elsewhere, now);
      put(text, words);
      put(count, seconds);
      tryNow.hidden = !waits;
      el.dataset.phase = player.phase;
    },
    /** Why nothing is heard though it is wanted, or cannot be heard here; empty while all is well. Takes what `update` takes. */
    trouble({ player, station, elsewhere, now }) {
      const { words, seconds } = said(player, station, elsewhere, now);
      const isTold = player.phase === 'paused' ? player.refused || elsewhere : player.phase !== 'playing';
      return isTold ? `${words} ${seconds}`.trim() : '';
    },
  };
}

function put(target, words) {
  if (target.textContent !== words) target.textContent = words;
}
