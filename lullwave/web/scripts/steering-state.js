/** What became of the last wish: sent, understood, heard; pure. */

/**
 * @typedef {object} SteeringState
 * @property {'idle' | 'sending' | 'waiting' | 'heard' | 'refused'} phase
 * @property {string} prompt
 * @property {string | null} understood
 * @property {string[]} ignored words that had no effect
 * @property {number} heardInS
 * @property {string | null} problem
 */

/** @type {SteeringState} */
export const NO_WISH = Object.freeze({
  phase: 'idle',
  prompt: '',
  understood: null,
  ignored: [],
  heardInS: 0,
  problem: null,
});

/** @returns {SteeringState} */
export const sending = (prompt) => ({ ...NO_WISH, phase: 'sending', prompt });

/** The station's answer; this listener hears everything `lagS` after it goes on air. */
export function understood(state, reply, lagS = 0) {
  const { text = '', ignored = [] } = reply?.understood ?? {};
  const heardInS = (reply?.heard_in_s ?? 0) + lagS;
  return { ...state, phase: 'waiting', understood: text || null, ignored, heardInS };
}

/** @returns {SteeringState} */
export const refused = (state, problem) => ({ ...state, phase: 'refused', problem });

/** A steering is heard: ours, if it has our words. */
export function heard(state, prompt) {
  return state.phase === 'waiting' && prompt === state.prompt ? { ...state, phase: 'heard' } : state;
}
