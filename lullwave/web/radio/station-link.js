/** The station in the page's address, as in `/#night-drive`; pure. */

/** @param {string} hash of an address, with its `#` @returns {string | null} the id of a station, known or not */
export function stationIn(hash) {
  try {
    return decodeURIComponent(hash.replace(/^#/, '')) || null;
  } catch {
    return null; // not encoded as addresses are
  }
}

/** @param {string} station */
export const hashOf = (station) => `#${encodeURIComponent(station)}`;
