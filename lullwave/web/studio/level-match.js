/** Levels for comparing two sounds: the louder one is turned down to the other, so that loudness does not decide; pure. */

/**
 * The gains of two sounds, as factors; both are 1 where a loudness is not known.
 *
 * @param {number | null | undefined} lufsA @param {number | null | undefined} lufsB @param {boolean} matched
 */
export function matchedGains(lufsA, lufsB, matched = true) {
  if (!matched || !Number.isFinite(lufsA) || !Number.isFinite(lufsB)) return [1, 1];
  const quieter = Math.min(lufsA, lufsB);
  return [10 ** ((quieter - lufsA) / 20), 10 ** ((quieter - lufsB) / 20)];
}
