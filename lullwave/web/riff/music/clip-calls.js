/**
 * When the next clip is asked for, after failures too, and whether clips come as fast as they play; pure.
 *
 * One call runs at a time, and at most `MOST_AHEAD` clips are ahead of what plays. A failed call is tried again after a
 * wait that doubles. What the server refuses (a wrong value, no permission) is not asked again until something changes.
 *
 * @typedef {{musicS: number, tookS: number}} Answer seconds of music, and seconds from its first call to its arrival
 * @typedef {{status: number, message: string, field: string | null}} Problem
 * @typedef {{sinceMs: number | null, wantedMs: number | null, attempt: number, notBeforeMs: number,
 *   problem: Problem | null, answers: Answer[], repeats: number}} Calls
 *   `sinceMs`: the running call's begin; `wantedMs`: when the clip was first asked for; `repeats`: since the last new clip
 */

import { retryDelayMs } from '../../shared/backoff.js';

export const MOST_AHEAD = 3;
const REMEMBERED = 5; // answers that the pace is judged by
const JUDGED_FROM = 2; // answers before anything is said of the pace
const PATIENCE_S = 300; // before anything is known of the server
const LEAST_PATIENCE_S = 60; // as Riffusion's proxy waited
const BEHIND = 1; // seconds of music in a second
const EASY = 1.15; // from here on the pace is well again
const LATER = new Set([0, 408, 409, 425, 429, 500, 502, 503, 504]); // statuses that may pass by themselves

/** @type {Calls} */
export const NO_CALLS = Object.freeze({
  sinceMs: null,
  wantedMs: null,
  attempt: 0,
  notBeforeMs: 0,
  problem: null,
  answers: [],
  repeats: 0,
});

/** Whether to ask now. @param {Calls} calls @param {number} ahead clips ready or scheduled @param {number} nowMs */
export function isDue(calls, ahead, nowMs) {
  return calls.sinceMs === null && ahead < MOST_AHEAD && nowMs >= calls.notBeforeMs && !isRefused(calls);
}

/** @param {Calls} calls @param {number} nowMs @returns {Calls} */
export function begun(calls, nowMs) {
  return { ...calls, sinceMs: nowMs, wantedMs: calls.wantedMs ?? nowMs, attempt: calls.attempt + 1 };
}

/** @param {Calls} calls @param {number} musicS @param {number} nowMs @returns {Calls} */
export function answered(calls, musicS, nowMs) {
  const answer = { musicS, tookS: Math.max(0.001, (nowMs - calls.wantedMs) / 1000) };
  return { ...NO_CALLS, answers: [...calls.answers, answer].slice(-REMEMBERED) };
}

/** @param {Calls} calls @param {Problem & {retryAfterS?: number}} problem @param {number} nowMs @param {number} random in 0..1 */
export function failed(calls, { status, message, field = null, retryAfterS = 0 }, nowMs, random) {
  const waitMs = Math.max(retryAfterS * 1000, retryDelayMs(calls.attempt, random));
  return { ...calls, sinceMs: null, notBeforeMs: nowMs + waitMs, problem: { status, message, field } };
}

/** A call that nobody wants the answer of any more. @param {Calls} calls @returns {Calls} */
export function dropped(calls) {
  return { ...NO_CALLS, answers: calls.answers };
}

/** Something was changed that may mend a refusal. @param {Calls} calls @returns {Calls} */
export function changed(calls) {
  return { ...dropped(calls), answers: [] };
}

/** The last clip had to be repeated. @param {Calls} calls @returns {Calls} */
export function repeated(calls) {
  return { ...calls, repeats: calls.repeats + 1 };
}

/** Whether asking again is in vain. @param {Calls} calls */
export function isRefused({ problem }) {
  return problem !== null && !LATER.has(problem.status);
}

/** Seconds after which a call is given up: four times the slowest answer of late. @param {Calls} calls */
export function patienceS({ answers }) {
  if (answers.length === 0) return PATIENCE_S;
  return Math.max(LEAST_PATIENCE_S, 4 * Math.max(...answers.map(({ tookS }) => tookS)));
}

/** Seconds of music made in a second, of late; null while unknown. @param {Calls} calls */
export function pace({ answers }) {
  if (answers.length < JUDGED_FROM) return null;
  const sum = (name) => answers.reduce((total, one) => total + one[name], 0);
  return sum('musicS') / sum('tookS');
}

/**
 * Whether clips come more slowly than they play. Once it is said, it is said until they are clearly faster.
 *
 * @param {Calls} calls @param {boolean} before what was said before
 */
export function isBehind(calls, before) {
  const now = pace(calls);
  return now !== null && now < (before ? EASY : BEHIND);
}
