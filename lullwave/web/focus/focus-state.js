/**
 * A focus timer after the pomodoro technique: 25 minutes of work, 5 of rest, and a longer rest after every fourth round;
 * pure. Times are seconds since 1970, so that the timer goes on while the page is reloaded.
 */

const MINUTE_S = 60;
export const FOCUS_S = 25 * MINUTE_S;
export const REST_S = 5 * MINUTE_S;
export const LONG_REST_S = 15 * MINUTE_S;
export const ROUNDS = 4;

/** A phase that ended longer ago than this was not followed by anybody. */
const FORGOTTEN_S = 60 * MINUTE_S;

/** @typedef {{phase: 'off' | 'focus' | 'rest', round: number, endsAt: number}} FocusState `round` in 1..ROUNDS */

/** @type {FocusState} */
export const OFF = Object.freeze({ phase: 'off', round: 0, endsAt: 0 });

/** @param {number} now @returns {FocusState} */
export const begin = (now) => ({ phase: 'focus', round: 1, endsAt: now + FOCUS_S });

/** The phase that follows, from the moment when this one ends. @param {FocusState} state @returns {FocusState} */
export function next({ phase, round, endsAt }) {
  if (phase === 'focus') return { phase: 'rest', round, endsAt: endsAt + (round === ROUNDS ? LONG_REST_S : REST_S) };
  return { phase: 'focus', round: (round % ROUNDS) + 1, endsAt: endsAt + FOCUS_S };
}

/** The state at a time: the same one while its phase lasts. @param {FocusState} state @param {number} now */
export function at(state, now) {
  if (state.phase === 'off') return state;
  if (now - state.endsAt > FORGOTTEN_S) return OFF;
  let current = state;
  while (now >= current.endsAt) current = next(current);
  return current;
}

/** @param {FocusState} state @param {number} now */
export const leftS = (state, now) => (state.phase === 'off' ? FOCUS_S : Math.max(0, state.endsAt - now));

/** What was kept of a state, or none where it makes no sense. @param {unknown} kept @returns {FocusState} */
export function remembered(kept) {
  const { phase, round, endsAt } = kept ?? {};
  const sound = ['focus', 'rest'].includes(phase) && Number.isInteger(round) && round >= 1 && round <= ROUNDS;
  return sound && Number.isFinite(endsAt) ? { phase, round, endsAt } : OFF;
}
