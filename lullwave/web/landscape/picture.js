/** A place as a small picture: on the card of its station, and as the artwork of the lock screen. */

import { BANDS } from '../scene/band-levels.js';
import { coloursOf, layersHeard, paintLive, paintStill, SILENT } from './landscape.js';

/** A picture of music at a glance: bands that are neither silent nor loud. */
const GLANCE = Array.from({ length: BANDS }, (_, band) => 0.5 + 0.35 * Math.sin(band * 1.7));

/** A function that paints on a canvas as the landscape wants it. @param {CanvasRenderingContext2D} context @returns {import('./sky.js').Rect} */
export function rectOn(context) {
  return (colour, x, y, width, height, alpha = 1) => {
    if (alpha !== 1) context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.fillRect(x, y, width, height);
    if (alpha !== 1) context.globalAlpha = 1;
  };
}

/**
 * The whole picture at once.
 *
 * @param {import('./sky.js').Rect} rect @param {number} width @param {number} height
 * @param {import('./landscape.js').Scenery} scenery @param {boolean} dark whether the page is
 */
export function paintPicture(rect, width, height, scenery, dark) {
  const colours = coloursOf(scenery.time, dark);
  const view = { width, ground: height, centre: Math.round(width / 2), colours, levels: GLANCE, nowS: 0 };
  paintStill(rect, view, scenery);
  paintLive(rect, view, scenery, layersHeard(SILENT, scenery, true));
}

/** Paints a canvas of its own size when what it shows has changed. @param {HTMLCanvasElement} canvas */
export function Picture(canvas) {
  let shown = '';
  return {
    /** @param {{scenery: import('./landscape.js').Scenery, dark: boolean}} next */
    update({ scenery, dark }) {
      const key = JSON.stringify([scenery, dark]);
      if (key === shown) return;
      shown = key;
      paintPicture(rectOn(canvas.getContext('2d')), canvas.width, canvas.height, scenery, dark);
    },
  };
}
