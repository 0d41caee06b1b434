/** The station in the page's address, as in `/#night-drive`, and the stations as the page remembers them; pure. */

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

/**
 * What a page that opens without the server shows of the stations.
 *
 * @param {{default: string, stations: {id: string, name: string, prompt: string, scene: any}[]}} list
 */
export function withoutServer({ default: usual, stations }) {
  const shown = ({ id, name, prompt, scene }) => ({ id, name, prompt, scene, state: 'on air', listeners: 0, busy: false });
  return { default: usual, stations: stations.map(shown) };
}
