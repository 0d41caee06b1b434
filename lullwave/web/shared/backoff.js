/**
 * How long to wait before the next try.
 *
 * Waits double from half a second to fifteen seconds, and each is drawn from the upper half of its span, so that
 * the listeners of a station that restarts do not all come back in the same instant.
 */

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/**
 * @param {number} attempt 1 for the first try after a loss
 * @param {number} random in [0, 1)
 * @param {number} [longestMs] where waits stop growing
 * @returns {number} milliseconds
 */
export function retryDelayMs(attempt, random, longestMs = LONGEST_MS) {
  const span = Math.min(longestMs, FIRST_MS * 2 ** Math.max(0, attempt - 1));
  return Math.round(span * (0.5 + 0.5 * random));
}
