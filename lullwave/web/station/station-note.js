/** One honest line about the station's music, while it is not what the station usually plays. */

import { stationNote } from '../radio/wording.js';

/** @param {HTMLElement} el */
export function StationNote(el) {
  return {
    /** @param {{station: {rung?: string, cause?: string, asked?: Object<string, unknown>} | undefined}} next */
    update({ station }) {
      const words = stationNote(station);
      el.hidden = words === '';
      if (el.textContent !== words) el.textContent = words;
    },
  };
}
