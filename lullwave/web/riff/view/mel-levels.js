/**
 * Sound to the levels of a spectrogram, as it is shown: `BANDS` mel bands, `COLUMNS_PER_S` columns; pure.
 *
 * The scale is that of Riffusion's images: amplitude to the power of 0.25 on a mel scale (HTK) up to 10 kHz, 255 the
 * loudest of the clip.
 */

import { hzOf, melOf, Spectrum } from '../../shared/fft.js';

export const BANDS = 96;
export const COLUMNS_PER_S = 50;
const HIGHEST_HZ = 10_000;
const WINDOW = 2048; // samples, Hann
const POWER = 0.25;
const FLOOR = 0.12; // of the scale: what is softer is drawn as nothing
const SILENCE = 1e-6; // amplitude below which a clip is not made louder

/** A rising slope of the scale, shared by computed levels and those of images. @param {number} level in 0..1 */
export function byteOf(level) {
  return Math.round((255 * Math.max(0, Math.min(1, level) - FLOOR)) / (1 - FLOOR));
}

/**
 * The levels of mono samples: column by column, `BANDS` bytes each, the lowest band first.
 *
 * @param {Float32Array} samples @param {number} rate @returns {Uint8Array}
 */
export function melLevels(samples, rate) {
  const columns = Math.max(1, Math.floor((samples.length / rate) * COLUMNS_PER_S));
  const amplitudes = new Float32Array(columns * BANDS);
  const spectrum = Spectrum(WINDOW);
  const filters = melFilters(rate);
  const magnitudes = new Float32Array(WINDOW / 2);
  let loudest = SILENCE;
  for (let column = 0; column < columns; column += 1) {
    spectrum(samples, Math.round((column * rate) / COLUMNS_PER_S) - WINDOW / 2, magnitudes);
    for (let band = 0; band < BANDS; band += 1) {
      const { first, weights } = filters[band];
      let sum = 0;
      for (let i = 0; i < weights.length; i += 1) sum += weights[i] * magnitudes[first + i];
      amplitudes[column * BANDS + band] = sum;
      if (sum > loudest) loudest = sum;
    }
  }
  return Uint8Array.from(amplitudes, (one) => byteOf((one / loudest) ** POWER));
}

/**
 * The levels of a spectrogram image in Riffusion's form: loud is black, low frequencies are at the bottom, 100 columns a
 * second.
 *
 * @param {Uint8ClampedArray} pixels RGBA @param {number} width @param {number} height @param {number} perS columns a second
 */
export function imageLevels(pixels, width, height, perS) {
  const columns = Math.max(1, Math.floor((width / perS) * COLUMNS_PER_S));
  const levels = new Uint8Array(columns * BANDS);
  for (let column = 0; column < columns; column += 1) {
    const x = Math.min(width - 1, Math.round((column * perS) / COLUMNS_PER_S));
    for (let band = 0; band < BANDS; band += 1) {
      const lowest = Math.floor((band * height) / BANDS);
      const end = Math.max(lowest + 1, Math.floor(((band + 1) * height) / BANDS));
      let sum = 0;
      for (let row = lowest; row < end; row += 1) sum += darkness(pixels, 4 * ((height - 1 - row) * width + x));
      levels[column * BANDS + band] = byteOf(sum / (end - lowest));
    }
  }
  return levels;
}

/** Mono images hold the level in R, stereo ones in G and B with R = 0. */
function darkness(pixels, at) {
  const [r, g, b] = [pixels[at], pixels[at + 1], pixels[at + 2]];
  const stereo = r < 8 && g + b > 64;
  return 1 - (stereo ? (g + b) / 2 : r) / 255;
}

/** Triangles on the mel scale, each as its first bin and its weights. @param {number} rate */
function melFilters(rate) {
  const top = melOf(Math.min(HIGHEST_HZ, rate / 2));
  const binOf = (n) => (hzOf((top * n) / (BANDS + 1)) * WINDOW) / rate;
  return Array.from({ length: BANDS }, (_, band) => {
    const [low, middle, high] = [binOf(band), binOf(band + 1), binOf(band + 2)];
    const first = Math.max(0, Math.floor(low));
    const last = Math.min(WINDOW / 2 - 1, Math.ceil(high));
    const weights = [];
    for (let bin = first; bin <= last; bin += 1) {
      weights.push(Math.max(0, Math.min((bin - low) / (middle - low || 1), (high - bin) / (high - middle || 1), 1)));
    }
    if (!weights.some((one) => one > 0)) return { first: Math.round(middle), weights: [1] };
    return { first, weights };
  });
}
