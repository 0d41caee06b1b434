/** The columns of the spectrogram that are in view, gathered from the clips of the schedule; pure. */

import { placeOf } from '../music/clip-schedule.js';
import { BANDS, COLUMNS_PER_S } from './mel-levels.js';

/**
 * Fill `target` with columns from `fromS` on. Beyond what is scheduled the ready clips are shown as they will probably
 * follow; beyond those, nothing.
 *
 * @param {Uint8Array} target columns of `BANDS` bytes
 * @param {import('../music/clip-schedule.js').Segment[]} segments of clips that have `levels`
 * @param {{levels: Uint8Array, firstS: number, durationS: number}[]} ready
 * @param {number} firstColumn of the audio clock, which has `COLUMNS_PER_S`, counted in `stride`
 * @param {number} [stride] every how many-th column is wanted
 */
export function fillColumns(target, segments, ready, firstColumn, stride = 1) {
  const columns = target.length / BANDS;
  let segment = 0;
  const scheduledS = segments.at(-1)?.untilS ?? Infinity;
  for (let n = 0; n < columns; n += 1) {
    const timeS = ((firstColumn + n + 0.5) * stride) / COLUMNS_PER_S;
    while (segment < segments.length - 1 && timeS >= segments[segment].untilS) segment += 1;
    const one = segments[segment];
    const to = n * BANDS;
    if (one && timeS >= one.startS && timeS < one.untilS) copy(target, to, one.clip, placeOf(one, timeS));
    else copyReady(target, to, ready, timeS - scheduledS);
  }
}

function copyReady(target, to, ready, sinceS) {
  let left = sinceS;
  for (const clip of ready) {
    if (left < 0) break;
    const lasts = clip.durationS - clip.firstS;
    if (left < lasts) return copy(target, to, clip, clip.firstS + left);
    left -= lasts;
  }
  target.fill(0, to, to + BANDS);
}

function copy(target, to, { levels }, placeS) {
  const last = levels.length / BANDS - 1;
  const from = Math.max(0, Math.min(last, Math.floor(placeS * COLUMNS_PER_S))) * BANDS;
  for (let band = 0; band < BANDS; band += 1) target[to + band] = levels[from + band];
}
