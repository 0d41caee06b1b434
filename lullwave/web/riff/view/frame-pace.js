/**
 * How finely the landscape is drawn, decided from the times between its frames; pure.
 *
 * Software GL and slow GPUs show themselves by the browser calling late. Then the pixels become larger, and if that is not
 * enough, the picture is flat. It stays so: what draws it is the same until the page is loaded again.
 *
 * @typedef {'fine' | 'coarse' | 'flat'} Detail
 * @typedef {{detail: Detail, skipped: number, times: number[], typicalMs: number | null}} Pace
 *   `typicalMs`: the median time between frames when it was judged last, null before
 */

const SKIPPED = 8; // frames at the start, while shaders and pictures are made ready
const JUDGED = 40; // frames that are judged together
const SLOW_MS = 62; // median time between frames, above which less is drawn: under 16 a second
const GAP_MS = 1000; // no frame takes so long: the page was hidden
const COARSER = { fine: 'coarse', coarse: 'flat', flat: 'flat' };

/** @type {Pace} */
export const UNKNOWN = Object.freeze({ detail: 'fine', skipped: 0, times: [], typicalMs: null });

/** A frame was drawn `sinceMs` after the one before. @param {Pace} pace @param {number} sinceMs @returns {Pace} */
export function drawn(pace, sinceMs) {
  if (sinceMs >= GAP_MS) return paused(pace);
  if (pace.skipped < SKIPPED) return { ...pace, skipped: pace.skipped + 1 };
  const times = [...pace.times, sinceMs];
  if (times.length < JUDGED) return { ...pace, times };
  const typicalMs = times.sort((a, b) => a - b)[JUDGED / 2];
  if (typicalMs <= SLOW_MS) return { ...pace, times: [], typicalMs };
  return { detail: COARSER[pace.detail], skipped: 0, times: [], typicalMs };
}

/** Nothing was drawn for a while: times before and after do not belong together. @param {Pace} pace @returns {Pace} */
export function paused(pace) {
  return { ...pace, skipped: 0, times: [] };
}
