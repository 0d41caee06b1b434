/** What the page does when a component asks something of the kept pieces, and what plays on the visitor's tape. */

import { resumedOnTape, begun, nextOnTape, TAPE } from './tape-state.js';

/**
 * @param {object} page
 * @param {{station: string, player: object, keeping: import('./kept-pieces.js').Keeping, tape: import('./tape-state.js').TapeState}} page.state
 *   the present one
 * @param {ReturnType<import('./kept-pieces.js').KeptPieces>} page.kept
 * @param {(station: string) => Promise<{history: object[]}>} page.history
 * @param {(news: object) => void} page.change
 * @param {(clip: object) => void} page.playAgain
 * @param {(station: string) => void} page.chooseStation
 * @param {() => {station?: string, wall: number, title: string} | null} page.entryHeard what is heard, as the history has it
 * @param {(detail: {connection: number}) => void} page.otherwise what follows a piece that is on no tape
 * @param {(value: string) => string} page.fileUrl
 * @param {ReturnType<import('../shared/strings.js').translator>} page.t
 */
export function keptHandlers({ state, kept, history, change, playAgain, chooseStation, entryHeard, otherwise, fileUrl, t }) {
  const isOn = () => state.station === TAPE;

  /** Play a piece of the tape; without one, the tape is empty, and the first station plays. */
  function put(clip) {
    if (!clip) return chooseStation(state.stations[0]?.id);
    change({ tape: begun(state.tape, clip, Date.now() / 1000) });
    playAgain(clip);
  }

  const after = (clip) => nextOnTape(state.keeping, state.tape, clip, fileUrl);

  const handlers = {
    keep(piece) {
      const { station = state.station, wall, title, seconds } = piece ?? entryHeard();
      void kept.toggle({ station, wall, title, seconds });
    },
    'tag-kept': ({ key, tags }) => kept.tag(key, tags),
    'forget-kept': (job) => kept.forget(job),
    'import-kept': (wishes) => (wishes ? kept.add(wishes) : kept.complain(t('kept.no-list'))),
    'complain-kept': kept.complain,
    'play-again': (clip) => (isOn() ? put({ ...clip, isOnTape: true }) : playAgain(clip)),
    'play-tape'(tag) {
      const wasOn = isOn();
      change({ tape: { ...state.tape, tag } });
      chooseStation(TAPE);
      if (wasOn || !state.player.clip) put(after(null));
    },
    'audio-ended'(detail) {
      const { clip, connection } = state.player;
      if (clip?.isOnTape && detail.connection === connection) put(after(clip));
      else otherwise(detail);
    },
  };

  return {
    handlers,
    isOn,
    /** The piece that plays on the tape, or will. */
    clip: () => (state.player.clip?.isOnTape ? state.player.clip : resumedOnTape(state.keeping, state.tape, fileUrl)),
    play: () => put(resumedOnTape(state.keeping, state.tape, fileUrl)),
    /** Find the title and the prompt of a moment that a link leads to, if it is the beginning of a piece of the last hours. */
    async nameMoment({ station, wall }) {
      const known = await history(station).catch(() => ({ history: [] }));
      const piece = known.history.find((one) => one.kind === 'piece' && one.wall === wall);
      if (piece && state.moment) change({ moment: { ...state.moment, title: piece.title, prompt: piece.prompt } });
    },
    /** Go on where the file of a piece is gone. Another one is needed for it. */
    skip(clip) {
      const next = after(clip);
      if (next && next.url !== clip.url) put(next);
    },
  };
}
