/**
 * The sky outside the window: colours that melt into each other, sun or moon, clouds, stars and rain. Pure: it paints
 * through a function `rect(colour, x, y, width, height, alpha)`; it needs no canvas.
 */

import { CLOUD } from '../scene/room-sprites.js';
import { runs } from '../scene/pixel-sprites.js';

/**
 * @typedef {(colour: string, x: number, y: number, width: number, height: number, alpha?: number) => void} Rect
 *
 * @typedef {object} View what is painted, in pixels of the picture
 * @property {number} width
 * @property {number} ground where the outside ends: the window sill, or the lower edge
 * @property {number} centre where the thing stands that the eye goes to
 * @property {Record<string, any>} colours one of the palettes of `scene-palette.js`
 * @property {number[]} levels of the bands of the music, in 0..1
 * @property {number} nowS seconds; constant while nothing may move
 */

const DITHER = [[6, 1], [4, 0], [2, 1]]; // step and shift of three rows, ever denser

/** @param {Rect} rect @param {View} view */
export function paintSky(rect, { width, ground, colours }) {
  const band = ground / colours.sky.length;
  for (const [index, colour] of colours.sky.entries()) {
    rect(colour, 0, Math.floor(index * band), width, Math.ceil(band) + 1);
    const next = colours.sky[index + 1];
    if (!next) continue;
    for (const [row, [step, shift]] of DITHER.entries()) {
      const y = Math.floor((index + 1) * band) - 6 + row * 2;
      for (let x = shift; x < width; x += step) rect(next, x, y, 1, 1);
    }
  }
}

/** The sun or the moon. @param {Rect} rect @param {View} view */
export function paintDisc(rect, { colours }, cx, cy, radius) {
  circle(rect, colours.halo, cx, cy, radius * 2);
  circle(rect, colours.halo, cx, cy, radius + 5);
  circle(rect, colours.disc, cx, cy, radius);
  const part = radius / 11;
  for (const [x, y, r] of [[-4, -2, 2], [3, 4, 3], [4, -5, 1.5]]) {
    circle(rect, colours.discShade, cx + Math.round(x * part), cy + Math.round(y * part), r * part);
  }
}

/** @param {Rect} rect @param {View} view */
export function paintClouds(rect, { width, ground, colours }) {
  for (const [share, height] of [[0.2, 0.23], [0.58, 0.42]]) {
    for (const run of runs(CLOUD)) {
      rect(colours.cloud, Math.round(width * share) + run.x, Math.round(ground * height) + run.y, run.width, 1);
    }
  }
}

/** @param {Rect} rect @param {View} view */
export function paintStars(rect, { width, ground, colours, nowS }) {
  if (!colours.star) return;
  for (let star = 0; star < 46; star += 1) {
    const x = (star * 73 + 29) % width;
    const y = 6 + ((star * 41) % Math.round(ground * 0.54));
    const shine = nowS === 0 ? 0.6 : 0.45 + 0.45 * Math.sin(nowS / 0.9 + star * 2.4);
    rect(colours.star, x, y, 1, 1, shine * (1 - y / (ground * 0.87)));
  }
}

/** Rain, and the shine that it takes from the sun or the moon. @param {Rect} rect @param {View} view @param {number} level in 0..1 */
export function paintRain(rect, { width, ground, colours, nowS }, level) {
  const drops = Math.round((20 + level * 130) * Math.min(1, width / 250));
  for (let drop = 0; drop < drops; drop += 1) {
    const speed = 90 + ((drop * 29) % 60);
    const y = (drop * 53 + nowS * speed) % (ground + 8);
    const x = (drop * 97 + Math.floor(y / 6)) % width;
    rect(colours.rain, Math.round(x), Math.round(y) - 4, 1, 4);
  }
}

/** @param {Rect} rect @param {View} view @param {number} level in 0..1 */
export function paintOvercast(rect, { width, ground, colours }, level) {
  rect(colours.overcast, 0, 0, width, ground, 0.25 + 0.4 * level);
}

/** @param {Rect} rect */
export function circle(rect, colour, cx, cy, radius, alpha = 1) {
  for (let y = -Math.floor(radius); y <= radius; y += 1) {
    const half = Math.floor(Math.sqrt(radius * radius - y * y));
    rect(colour, cx - half, cy + y, half * 2 + 1, 1, alpha);
  }
}
