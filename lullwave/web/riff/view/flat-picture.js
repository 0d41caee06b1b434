/**
 * The spectrogram as a flat picture: low notes at the bottom, time from left to right, a line for the playhead.
 *
 * For browsers without WebGL it scrolls; where motion is to be reduced it stands still, and the line walks through it.
 */

import { palette } from './colours.js';
import { BANDS } from './mel-levels.js';

export const COLUMNS = 300;
export const PAST_COLUMNS = 60; // left of the playhead while the picture scrolls

/** @param {HTMLCanvasElement} el */
export function FlatPicture(el) {
  const context = el.getContext('2d');
  el.width = COLUMNS;
  el.height = BANDS;
  const image = context.createImageData(COLUMNS, BANDS);
  const words = new Uint32Array(image.data.buffer);
  let colours = palette([[0, 0, 0], [255, 255, 255]]);
  let line = colours[255];

  return {
    /** @param {Record<string, [number, number, number]>} next */
    recolour(next) {
      colours = palette([next.sky, next.low, next.middle, next.high]);
      [line] = palette([next.head, next.head]);
    },
    /** @param {Uint8Array} columns `COLUMNS` columns of `BANDS` levels @param {number} playhead its column */
    draw(columns, playhead) {
      for (let column = 0; column < COLUMNS; column += 1) {
        for (let band = 0; band < BANDS; band += 1) {
          words[(BANDS - 1 - band) * COLUMNS + column] = column === playhead ? line : colours[columns[column * BANDS + band]];
        }
      }
      context.putImageData(image, 0, 0);
    },
  };
}

/**
 * Which column is the first one, and where the playhead stands.
 *
 * @param {number} column that is heard now @param {boolean} still whether the picture stands
 */
export function frameOf(column, still) {
  if (!still) return { first: column - PAST_COLUMNS, playhead: PAST_COLUMNS };
  const page = Math.floor(column / COLUMNS) * COLUMNS;
  return { first: page, playhead: column - page };
}
