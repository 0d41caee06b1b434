/** Draws the waveform and the spectrogram of a sound, in the colours of the theme. The numbers come from pure functions. */

import { hzOf, melOf, Spectrum } from './fft.js';

const SIZE = 2048;
const HIGH_HZ = 10_000;
const RANGE_DB = 70; // from the loudest to what is drawn as silence

/**
 * The lowest and the highest sample of each of `columns` parts of a sound.
 *
 * @param {Float32Array} samples @param {number} columns @returns {{low: Float32Array, high: Float32Array}}
 */
export function waveform(samples, columns) {
  const low = new Float32Array(columns);
  const high = new Float32Array(columns);
  for (let column = 0; column < columns; column += 1) {
    const stop = Math.floor(((column + 1) * samples.length) / columns);
    for (let n = Math.floor((column * samples.length) / columns); n < stop; n += 1) {
      if (samples[n] < low[column]) low[column] = samples[n];
      if (samples[n] > high[column]) high[column] = samples[n];
    }
  }
  return { low, high };
}

/**
 * How loud each band is in each column: 0 is silence, 1 the loudest; row 0 is the highest band, rows lie evenly in mel.
 *
 * @param {Float32Array} samples @param {number} rate in Hz @param {number} columns @param {number} rows
 * @returns {Float32Array} rows x columns
 */
export function spectrogram(samples, rate, columns, rows) {
  const spectrum = Spectrum(SIZE);
  const bins = new Float32Array(SIZE / 2);
  const shades = new Float32Array(rows * columns);
  const edges = Array.from({ length: rows + 1 }, (_, n) => (hzOf((melOf(HIGH_HZ) * n) / rows) * SIZE) / rate);
  let loudest = 1e-9;
  for (let column = 0; column < columns; column += 1) {
    const middle = ((column + 0.5) * samples.length) / columns;
    spectrum(samples, Math.round(middle - SIZE / 2), bins);
    for (let row = 0; row < rows; row += 1) {
      const first = Math.floor(edges[row]);
      let most = 0;
      for (let bin = first; bin <= Math.max(first, Math.floor(edges[row + 1])) && bin < bins.length; bin += 1) most = Math.max(most, bins[bin]);
      shades[(rows - 1 - row) * columns + column] = most;
      if (most > loudest) loudest = most;
    }
  }
  return shades.map((one) => Math.max(0, 1 + (20 * Math.log10(one / loudest + 1e-9)) / RANGE_DB));
}

/** The colours of a page's theme from silence to loud, as a table of 256. @param {Element} el */
export function themeColours(el) {
  const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const swatch = el.parentElement.appendChild(document.createElement('i'));
  const stops = ['--well', '--rose', '--accent', '--ink'].map((name) => {
    swatch.style.color = `var(${name})`;
    probe.fillStyle = getComputedStyle(swatch).color;
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data];
  });
  swatch.remove();
  return Array.from({ length: 256 }, (_, n) => {
    const at = (n / 255) * (stops.length - 1);
    const [from, to] = [stops[Math.floor(at)], stops[Math.ceil(at)]];
    return from.map((one, channel) => Math.round(one + (to[channel] - one) * (at % 1)));
  });
}

/** @param {HTMLCanvasElement} canvas @param {Float32Array} samples */
export function drawWaveform(canvas, samples) {
  const context = canvas.getContext('2d');
  const { width, height } = canvas;
  const { low, high } = waveform(samples, width);
  context.clearRect(0, 0, width, height);
  context.fillStyle = getComputedStyle(canvas).color;
  for (let x = 0; x < width; x += 1) {
    const top = ((1 - high[x]) * height) / 2;
    context.fillRect(x, top, 1, Math.max(1, ((1 - low[x]) * height) / 2 - top));
  }
}

/** @param {HTMLCanvasElement} canvas @param {Float32Array} samples @param {number} rate in Hz */
export function drawSpectrogram(canvas, samples, rate) {
  const { width, height } = canvas;
  const shades = spectrogram(samples, rate, width, height);
  const colours = themeColours(canvas);
  const picture = new ImageData(width, height);
  shades.forEach((shade, n) => picture.data.set(colours[Math.round(255 * Math.min(1, shade))], 4 * n));
  canvas.getContext('2d').putImageData(picture, 0, 0);
}
