/** What the page does when a component asks something of the kept pieces, and when a piece of the tape ends. */

import { nextOnTape } from './kept-state.js';

/**
 * @param {object} page
 * @param {{station: string, player: object, keeping: import('./kept-pieces.js').Keeping}} page.state the present one
 * @param {ReturnType<import('./kept-pieces.js').KeptPieces>} page.kept
 * @param {(clip: object) => void} page.playAgain
 * @param {() => {station?: string, wall: number, title: string} | null} page.entryHeard what is heard, as the history has it
 * @param {(detail: {connection: number}) => void} page.otherwise what follows a piece that is on no tape
 * @param {(value: string) => string} page.fileUrl
 * @param {ReturnType<import('../shared/strings.js').translator>} page.t
 */
export function keptHandlers({ state, kept, playAgain, entryHeard, otherwise, fileUrl, t }) {
  return {
    keep(piece) {
      const { station = state.station, wall, title, seconds } = piece ?? entryHeard();
      void kept.toggle({ station, wall, title, seconds });
    },
    'tag-kept': ({ key, tags }) => kept.tag(key, tags),
    'forget-kept': (job) => kept.forget(job),
    'import-kept': (wishes) => (wishes ? kept.add(wishes) : kept.complain(t('kept.no-list'))),
    'complain-kept': kept.complain,
    'play-tape': (tag) => playAgain(nextOnTape(state.keeping, tag, null, fileUrl)),
    'audio-ended'(detail) {
      const { clip, connection } = state.player;
      const onTape = clip?.tape !== undefined && detail.connection === connection;
      const next = onTape && nextOnTape(state.keeping, clip.tape, clip, fileUrl);
      if (next) playAgain(next);
      else otherwise(detail);
    },
  };
}
