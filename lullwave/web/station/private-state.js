/** The private stream of this page, which nobody else hears: asked for, playing, refused, ended; pure. */

/**
 * @typedef {object} PrivateState
 * @property {'shared' | 'asking' | 'private' | 'refused' | 'ended'} phase
 * @property {object | null} stream the private stream, with the fields of a station, while there is one
 * @property {boolean} continues the same music goes on; otherwise a new stream of the same words has begun
 * @property {string} problem why there is none (`refused`: the server's words; `ended`: `busy`, `paused` or `gone`)
 */

/** @type {PrivateState} */
export const SHARED = Object.freeze({ phase: 'shared', stream: null, continues: true, problem: '' });

/** Music that the server makes again for the new stream, so that it begins about where this listener is by then. */
export const AHEAD_S = 1;

/** @returns {PrivateState} */
export const asking = () => ({ ...SHARED, phase: 'asking' });

/** The server's reply. @param {{id: string, continues: boolean}} stream @returns {PrivateState} */
export const begun = (stream) => ({ ...SHARED, phase: 'private', stream, continues: stream.continues });

/** @param {Error} error @returns {PrivateState} */
export const refused = (error) => ({ ...SHARED, phase: 'refused', problem: error.message });

/** @param {'busy' | 'paused' | 'gone'} reason @returns {PrivateState} */
export const ended = (reason) => ({ ...SHARED, phase: 'ended', problem: reason });

/** The id of what this page listens to: the private stream, or the station. @param {PrivateState} state @param {string} station */
export const tuned = (state, station) => state.stream?.id ?? station;

/** Something new about the private stream. @param {PrivateState} state @param {object} news */
export const learned = (state, news) => ({ ...state, stream: { ...state.stream, ...news } });

/**
 * What the page says of it, and the button that leads on.
 *
 * @param {PrivateState} state @param {(key: string, values?: object) => string} t
 * @returns {{said: string, button: string, isPrivate: boolean, busy: boolean}}
 */
export function shownAs({ phase, continues, problem }, t) {
  const isPrivate = phase === 'private';
  const said = {
    shared: '',
    asking: t('private.asking'),
    private: continues ? t('private.only-you') : `${t('private.only-you')} ${t('private.new-stream')}`,
    refused: t('private.refused', { problem }),
    ended: phase === 'ended' ? t(`private.ended-${problem}`) : '',
  }[phase];
  return { said, button: t(isPrivate ? 'private.back' : 'private.begin'), isPrivate, busy: phase === 'asking' };
}
