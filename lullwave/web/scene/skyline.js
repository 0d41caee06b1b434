/**
 * A city of sixteen towers, one for each band of the music: where they stand and which windows are lit. Pure.
 */

import { BANDS } from './band-levels.js';

/** Storeys of the towers, low bands on the left: an uneven, calm line. */
const STOREYS = [9, 12, 8, 11, 7, 10, 13, 9, 11, 8, 12, 7, 10, 8, 11, 9];
const STOREY_PX = 5;
const WINDOW_PX = { width: 2, height: 3 };
const ROOF_PX = 4;

/**
 * @param {number} left @param {number} right @param {number} ground the y of the street
 * @param {number} [height] of the towers, where 1 is the whole
 * @returns {{x: number, y: number, width: number, storeys: number, columns: number[], tone: number}[]}
 */
export function towers(left, right, ground, height = 1) {
  const pitch = (right - left) / BANDS;
  return STOREYS.map((full, band) => {
    const storeys = Math.max(2, Math.round(full * height));
    const x = Math.round(left + band * pitch);
    const width = Math.round(left + (band + 1) * pitch) - x - (band % 3 === 1 ? 0 : 1);
    const count = Math.max(1, Math.floor((width - 1) / 4));
    const margin = Math.floor((width - (count * 4 - 2)) / 2);
    const columns = Array.from({ length: count }, (_, c) => x + margin + c * 4);
    return { x, y: ground - storeys * STOREY_PX - ROOF_PX, width, storeys, columns, tone: (band * 7) % 3 };
  });
}

/**
 * The windows of a tower, from the street up.
 *
 * @param {ReturnType<typeof towers>[number]} tower
 * @param {number} ground @param {number} level of its band in 0..1
 * @returns {{x: number, y: number, width: number, height: number, light: 'dark' | 'idle' | 'lit' | 'peak'}[]}
 */
export function windows(tower, ground, level) {
  const height = Math.round(level * tower.storeys);
  const found = [];
  for (let storey = 0; storey < tower.storeys; storey += 1) {
    const y = ground - (storey + 1) * STOREY_PX + 1;
    for (const [column, x] of tower.columns.entries()) {
      found.push({ x, y, ...WINDOW_PX, light: light(storey, height, tower, column) });
    }
  }
  return found;
}

function light(storey, height, tower, column) {
  if (storey < height) return storey === height - 1 && height > 2 ? 'peak' : 'lit';
  return isHome(tower.x, storey, column) ? 'idle' : 'dark';
}

/** Somebody is always still up: a fixed sprinkle of one window in seven. */
function isHome(x, storey, column) {
  return (x * 31 + storey * 17 + column * 57) % 7 === 0;
}
