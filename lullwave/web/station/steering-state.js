/** The state of the last request, and the requests that wait; pure. */

/**
 * @typedef {object} SteeringState
 * @property {'idle' | 'sending' | 'turning' | 'queued' | 'voted' | 'ignored' | 'heard' | 'refused' | 'dropped'} phase
 * @property {string} prompt
 * @property {boolean} undo whether it goes back to the prompt before
 * @property {number | null} frame from which the change is heard, once known
 * @property {string | null} understood
 * @property {string[]} ignored words that had no effect
 * @property {Record<string, string[]>} suggestions known words that are spelled like the ignored ones
 * @property {number} heardInS
 * @property {number} waitS the whole wait, for the bar that fills
 * @property {string | null} problem
 * @property {boolean} wantsToken only the owner may, and proves it with a token
 *
 * @typedef {{policy: string, waiting: {prompt: string, undo: boolean}[], votes: Record<string, number>}} Queue
 */

/** @type {SteeringState} */
export const NO_REQUEST = Object.freeze({
  phase: 'idle',
  prompt: '',
  undo: false,
  frame: null,
  understood: null,
  ignored: [],
  suggestions: {},
  heardInS: 0,
  waitS: 0,
  problem: null,
  wantsToken: false,
});

/** A request without words is an undo. @returns {SteeringState} */
export const sending = (prompt) => ({ ...NO_REQUEST, phase: 'sending', prompt, undo: prompt === '' });

/** The station's answer; this listener hears everything `lagS` after it goes on air. */
export function answered(state, reply, lagS = 0) {
  const { text, ignored, suggestions = {} } = reply.understood;
  const understood = reply.state === 'ignored' ? null : text || null;
  const heardInS = reply.heard_in_s + lagS;
  const prompt = reply.prompt ?? state.prompt;
  return { ...state, prompt, phase: reply.state, frame: reply.frame, understood, ignored, suggestions, heardInS, waitS: heardInS };
}

/** @param {{message: string, wantsToken?: boolean}} error @returns {SteeringState} */
export const refused = (state, error) => ({
  ...state,
  phase: 'refused',
  problem: error.message,
  wantsToken: error.wantsToken ?? false,
});

/** A wait as it is told, in whole and half seconds: a quarter of a second off at most. @param {number} seconds */
export const toldS = (seconds) => Math.max(0, Math.round(2 * seconds) / 2);

/** `leftS` seconds are left until the change sounds; the state is new where another number is told. */
export function counted(state, leftS) {
  if (state.phase !== 'turning') return state;
  const heardInS = Math.max(0, leftS);
  return toldS(heardInS) === toldS(state.heardInS) ? state : { ...state, heardInS };
}

/** After how many seconds another number is told, `leftS` before the change sounds; never if nothing counts down. */
export const nextCountS = (state, leftS) =>
  state.phase === 'turning' && leftS > 0 ? leftS + 0.25 - toldS(leftS) : Infinity;

/** Another prompt is heard: ours, if it has our frame, or, where that was not known yet, our words. */
export function heard(state, steer) {
  if (!['turning', 'queued', 'voted'].includes(state.phase)) return state;
  const ours = state.frame === null ? steer.prompt === state.prompt : steer.frame >= state.frame;
  return ours ? { ...state, phase: 'heard', prompt: steer.prompt } : state;
}

/** A request that waited, or a vote, came to nothing: ours, if it has our words; a waiting undo is known as one. */
export function dropped(state, news) {
  if (!['queued', 'voted'].includes(state.phase)) return state;
  const ours = news.undo ? state.undo : news.prompt === state.prompt && !(state.undo && state.phase === 'queued');
  return ours ? { ...state, phase: 'dropped', problem: news.reason } : state;
}
