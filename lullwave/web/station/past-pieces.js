/** The pieces that were heard lately and how each is played again, from a station's history; pure. */

/** The server makes at most this much of the past again at once. */
const LONGEST_S = 300;

/**
 * @typedef {object} PastPiece
 * @property {string} title
 * @property {number} wall when it began, in seconds since 1970
 * @property {number} seconds how much of it was heard
 */

/**
 * @param {{run: number, frame: number, until: number | null, wall: number | null, kind: string, title?: string,
 *   frames?: number}[]} history newest first
 * @param {number} rate frames a second
 * @param {number} frame the frame that is heard now, in the newest run
 * @param {number} most
 * @returns {PastPiece[]} newest first, without the piece that is heard now
 */
export function pastPieces(history, rate, frame, most) {
  const run = history[0]?.run;
  const pieces = history.filter((entry) => entry.kind === 'piece' && entry.wall !== null);
  const begun = pieces.filter((piece) => piece.run !== run || piece.frame <= frame);
  const found = [];
  for (const [index, piece] of begun.entries()) {
    const next = begun[index - 1];
    if (!next) continue; // it is heard now
    const whole = piece.frames ? piece.frames / rate : LONGEST_S;
    const heard = piece.until ? (piece.until - piece.frame) / rate : LONGEST_S;
    const seconds = Math.floor(Math.min(LONGEST_S, whole, heard, next.wall - piece.wall));
    if (seconds >= 1) found.push({ ...piece, seconds });
  }
  return found.slice(0, most);
}
