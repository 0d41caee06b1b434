/**
 * The sleep timer, counted in seconds of sound that were heard; pure. It fades the last half minute and then
 * asks for a pause. A stalled connection stops it, since nobody falls asleep to silence.
 */

export const FADE_S = 30;

/**
 * @typedef {object} SleepState
 * @property {number | null} remainingS null while the timer is off
 * @property {number} connection whose clock was read last
 * @property {number} time that clock, in seconds
 */

/** @type {SleepState} */
export const AWAKE = Object.freeze({ remainingS: null, connection: 0, time: 0 });

/** @param {SleepState} state @param {number | null} minutes */
export function setTimer(state, minutes) {
  return { ...state, remainingS: minutes === null ? null : minutes * 60 };
}

/** The audio element's clock stands at `time`. @param {SleepState} state */
export function listen(state, connection, time) {
  const heard = connection === state.connection ? Math.max(0, time - state.time) : 0;
  const remainingS = state.remainingS === null ? null : Math.max(0, state.remainingS - heard);
  return { remainingS, connection, time };
}

/** @param {SleepState} state */
export const isOver = (state) => state.remainingS === 0;

/** Gain of the fade in 0..1. @param {SleepState} state */
export function fadeGain({ remainingS }) {
  if (remainingS === null || remainingS >= FADE_S) return 1;
  return (remainingS / FADE_S) ** 2;
}
