/**
 * The sleep timer, counted in seconds of sound that were heard; pure. It fades the last half minute and then
 * asks for a pause. A stalled connection stops it, since nobody falls asleep to silence.
 */

export const FADE_S = 30;
const LONGEST_MINUTES = 24 * 60;

/**
 * @typedef {object} SleepState
 * @property {number | null} minutes what was chosen; null while the timer is off
 * @property {number | null} remainingS null while the timer is off
 * @property {number} connection whose clock was read last
 * @property {number} time that clock, in seconds
 */

/** @type {SleepState} */
export const AWAKE = Object.freeze({ minutes: null, remainingS: null, connection: 0, time: 0 });

/** @param {SleepState} state @param {number | null} minutes */
export function setTimer(state, minutes) {
  return { ...state, minutes, remainingS: minutes === null ? null : minutes * 60 };
}

/** A timer that goes on after a reload, from what `kept` returned. @param {unknown} kept @returns {SleepState} */
export function remembered(kept) {
  const { minutes, remainingS } = kept ?? {};
  const sound = minutes > 0 && remainingS > 0 && remainingS <= minutes * 60 && minutes <= LONGEST_MINUTES;
  return sound ? { ...AWAKE, minutes, remainingS } : AWAKE;
}

/** What has to be kept of a timer: the same while less than a second has passed. @param {SleepState} state */
export const kept = ({ minutes, remainingS }) => ({ minutes, remainingS: remainingS === null ? null : Math.ceil(remainingS) });

/** The audio element's clock stands at `time`. @param {SleepState} state */
export function listen(state, connection, time) {
  const heard = connection === state.connection ? Math.max(0, time - state.time) : 0;
  const remainingS = state.remainingS === null ? null : Math.max(0, state.remainingS - heard);
  return { ...state, remainingS, connection, time };
}

/** @param {SleepState} state */
export const isOver = (state) => state.remainingS === 0;

/** Gain of the fade in 0..1. @param {SleepState} state */
export function fadeGain({ remainingS }) {
  if (remainingS === null || remainingS >= FADE_S) return 1;
  return (remainingS / FADE_S) ** 2;
}
