/** A small canvas that shows one sprite at a time. */

import { paint } from './pixel-sprites.js';

/** @param {HTMLCanvasElement} canvas @param {Record<string, string>} palette */
export function PixelCanvas(canvas, palette) {
  const context = canvas.getContext('2d');
  let shown = null;
  return {
    /** @param {string[]} rows */
    update(rows) {
      if (rows === shown) return;
      shown = rows;
      canvas.width = rows[0].length;
      canvas.height = rows.length;
      paint(context, rows, palette);
    },
  };
}
