/** How far the piece has got: a thin line, for eyes only. */

/** @param {HTMLElement} el */
export function PieceProgress(el) {
  const bar = el.querySelector('.bar');
  return {
    /** @param {{share: number | null}} next in 0..1 */
    update({ share }) {
      bar.style.transform = `scaleX(${(share ?? 0).toFixed(4)})`;
    },
  };
}
