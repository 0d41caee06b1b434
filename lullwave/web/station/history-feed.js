/**
 * Asks for a station's history when a piece begins, and again until the piece is in it.
 *
 * The server writes a piece down a moment after it goes on air. A history that cannot be written is asked for again
 * after a while, until it can.
 */

const AGAIN_MS = 2_000;
const NOT_KEPT_AGAIN_MS = 20_000;
const TRIES = 5;

/**
 * @param {(station: string) => Promise<{history: {frame: number, title: string}[], kept: boolean}>} ask
 * @param {(news: {history?: object[], kept: boolean}) => void} onNews
 * @param {(run: () => void, ms: number) => unknown} after `setTimeout`
 */
export function HistoryFeed(ask, onNews, after = (run, ms) => setTimeout(run, ms)) {
  /** @type {{station: string, frame: number, title: string} | null} the piece that is heard */
  let heard = null;

  async function refresh(piece, tries) {
    if (piece !== heard) return;
    try {
      const { history, kept } = await ask(piece.station);
      if (piece !== heard) return;
      onNews({ history, kept });
      const written = history.some(({ frame, title }) => frame === piece.frame && title === piece.title);
      if (!kept) after(() => refresh(piece, 1), NOT_KEPT_AGAIN_MS);
      else if (!written && tries > 1) after(() => refresh(piece, tries - 1), AGAIN_MS);
    } catch (error) {
      if (piece !== heard || error.status !== 503) return; // until the next piece
      onNews({ kept: false });
      after(() => refresh(piece, 1), NOT_KEPT_AGAIN_MS);
    }
  }

  return {
    /** @param {{station: string, piece: {frame: number, title: string} | null}} next */
    update({ station, piece }) {
      if (piece?.frame === heard?.frame && (!piece || station === heard.station)) return;
      heard = piece && { station, frame: piece.frame, title: piece.title };
      if (heard) void refresh(heard, TRIES);
    },
  };
}
