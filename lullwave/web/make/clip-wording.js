/** The words about a clip: progress, result, refusal; pure. */

import { sentence } from '../radio/wording.js';

const ENOUGH = 0.03; // share from which on a guess at the rest is better than none

/** @param {number} bytes */
export function amount(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {number} seconds */
export function lasting(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`.replace(/(\d+) min 60 s/, (_, m) => `${+m + 1} min 0 s`);
}

/**
 * How far it is. What is left is guessed from the pace since the first bytes: loading and waiting are not music.
 *
 * @param {{bytes: number, share: number | null, elapsedS: number, soundingS: number, durationS: number}} made
 */
export function progressWords({ bytes, share, elapsedS, soundingS, durationS }) {
  const passed = lasting(elapsedS);
  if (bytes === 0) return `No sound yet after ${passed}: the engine is loading, or other clips come first.`;
  if (share === null) return `${amount(bytes)} in ${passed}. This format does not tell the total.`;
  const made = `${Math.floor(share * durationS)} of ${Math.round(durationS)} s of music in ${passed}`;
  if (share < ENOUGH || share >= 1) return `${made} (${amount(bytes)}).`;
  return `${made} (${amount(bytes)}), about ${lasting((soundingS * (1 - share)) / share)} left.`;
}

/** @param {{bytes: number, elapsedS: number, request: {engine: string, seed: number | bigint, format: string}}} made */
export function madeWords({ bytes, elapsedS, request: { engine, seed, format } }) {
  return `By ${engine} in ${lasting(elapsedS)}: ${amount(bytes)} of ${format}, seed ${seed}.`;
}

/**
 * Why there is no clip.
 *
 * @param {{status: number, message: string, retryAfterS?: number, wantsToken?: boolean}} error @param {boolean} shown
 *   whether a token was shown
 */
export function refusalWords(error, shown = false) {
  if (error.status === 0) return 'The server cannot be reached. Is it running, and are you online?';
  if (error.wantsToken) return shown ? 'This admin token is wrong.' : 'Making clips here needs the admin token.';
  const again = error.retryAfterS ? ` Try again in about ${lasting(error.retryAfterS)}.` : '';
  return sentence(error.message) + again;
}

/** @param {number} bytes */
export function brokenWords(bytes) {
  return `Interrupted after ${amount(bytes)}: the network or the engine failed. Nothing was saved; try again.`;
}

/** The server's words on one field, without the name: they stand beside it. @param {string} message @param {string} field */
export function fieldWords(message, field) {
  return sentence(message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message);
}
