/** The colours of the spectrogram: those of the theme, as numbers; pure but for reading them. */

const STEPS = 256;

/**
 * Read the theme's colours from elements whose CSS `color` they are.
 *
 * @param {HTMLElement} el holds one element for each of `names`, with the name as its class
 * @param {string[]} names @returns {Record<string, [number, number, number]>} each 0..255
 */
export function readColours(el, names) {
  return Object.fromEntries(names.map((name) => [name, rgbOf(getComputedStyle(el.querySelector(`.${name}`)).color)]));
}

/** @param {string} css `rgb(1, 2, 3)` or `rgba(…)` @returns {[number, number, number]} */
export function rgbOf(css) {
  const [r = 0, g = 0, b = 0] = (css.match(/[\d.]+/g) ?? []).map(Number);
  return [r, g, b];
}

/**
 * A palette for levels 0..255 through `stops`, evenly placed, as RGBA words of a little-endian `ImageData`.
 *
 * @param {[number, number, number][]} stops
 */
export function palette(stops) {
  return Uint32Array.from({ length: STEPS }, (_, level) => {
    const place = (level / (STEPS - 1)) * (stops.length - 1);
    const from = Math.min(stops.length - 2, Math.floor(place));
    const share = place - from;
    const [r, g, b] = [0, 1, 2].map((n) => Math.round(stops[from][n] * (1 - share) + stops[from + 1][n] * share));
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}
