/** One line that says why the station does not play its usual music. */

import { stationNote } from '../radio/wording.js';

/** @param {HTMLElement} el @param {ReturnType<import('../shared/strings.js').translator>} t */
export function StationNote(el, t) {
  return {
    /** @param {{station: {rung?: string, cause?: string, asked?: Object<string, unknown>} | undefined}} next */
    update({ station }) {
      const words = stationNote(t, station);
      el.hidden = words === '';
      if (el.textContent !== words) el.textContent = words;
    },
  };
}
