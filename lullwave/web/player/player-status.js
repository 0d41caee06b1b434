/** The state of the connection in one line. */

import { playerStatus } from '../radio/wording.js';

/** @param {HTMLElement} el */
export function PlayerStatus(el) {
  const text = el.querySelector('.text');
  return {
    /** @param {{player: import('./player-state.js').PlayerState, station: string | undefined}} next */
    update({ player, station }) {
      const words = playerStatus(player, station);
      if (text.textContent !== words) text.textContent = words;
      el.dataset.phase = player.phase;
    },
  };
}
