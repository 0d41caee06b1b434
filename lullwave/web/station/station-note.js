/** One line that says why the station does not play its usual music. */

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
