/**
 * The loudness of sixteen bands at the frame that is heard, from a stream of stamped measurements. Pure.
 */

export const BANDS = 16;

/** A minute at ten measurements a second. */
const MOST = 600;

/** @typedef {{frame: number, levels: number[]}} Measurement levels in 0..1 */

/** @param {Measurement[]} track @param {Measurement} measured @returns {Measurement[]} */
export function measure(track, measured) {
  const newest = track.at(-1);
  if (newest && measured.frame <= newest.frame) return measured.frame === newest.frame ? track : [measured];
  return track.length < MOST ? [...track, measured] : [...track.slice(1 - MOST), measured];
}

/**
 * Levels at a frame, interpolated between the measurements around it; silence where none are near.
 *
 * @param {Measurement[]} track @param {number} frame @param {number} reach how far a measurement holds, in frames
 * @returns {number[]}
 */
export function levelsAt(track, frame, reach) {
  const after = track.findIndex((m) => m.frame > frame);
  const next = after < 0 ? null : track[after];
  const last = after < 0 ? track.at(-1) : track[after - 1];
  if (!last || frame - last.frame > reach) return new Array(BANDS).fill(0);
  if (!next || next.frame - frame > reach) return last.levels;
  const share = (frame - last.frame) / (next.frame - last.frame);
  return last.levels.map((level, band) => level + (next.levels[band] - level) * share);
}

/** A level meter's fall: what is shown rises at once and sinks slowly. */
export function settle(shown, levels, elapsedS, fallPerS = 1.6) {
  return levels.map((level, band) => Math.max(level, (shown[band] ?? 0) - fallPerS * elapsedS));
}
