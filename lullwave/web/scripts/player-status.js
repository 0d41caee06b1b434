/** One honest line about the connection. */

import { playerStatus } from './wording.js';

/** @param {HTMLElement} el */
export function PlayerStatus(el) {
  const text = el.querySelector('.text');
  return {
    /** @param {{player: import('./player-state.js').PlayerState}} next */
    update({ player }) {
      const words = playerStatus(player);
      if (text.textContent !== words) text.textContent = words;
      el.dataset.phase = player.phase;
    },
  };
}
