/**
 * The picture of the sound: a landscape by WebGL; a flat picture without it, where it is drawn too slowly, and where motion
 * is to be reduced.
 */

import { isDark } from '../../shared/theme.js';
import { readColours } from './colours.js';
import { fillColumns } from './columns.js';
import { COLUMNS, FlatPicture, frameOf } from './flat-picture.js';
import * as Pace from './frame-pace.js';
import { HeightField, PAST_ROWS, ROWS } from './height-field.js';
import { BANDS, COLUMNS_PER_S } from './mel-levels.js';

const INKS = ['low', 'middle', 'high', 'sky', 'head'];
const ROW_COLUMNS = 3; // columns to a row of the landscape
const PIXEL = 3; // CSS pixels to one of the landscape
const SMALL_PIXEL = 2;
const SMALL_PX = 700; // canvases narrower than this have smaller pixels
const COARSER = 2; // times as large, where frames take long
const FRAME_MS = 1000 / 31; // thirty pictures a second are enough for big pixels
const STILL_MS = 250;

/**
 * @param {HTMLElement} el holds the canvases `.landscape` and `.flat`
 * @param {() => {segments: Object[], ready: Object[], heardS: number}} look what sounds
 */
export function Spectrogram(el, look) {
  const calm = matchMedia('(prefers-reduced-motion: reduce)');
  const [landscape, flat] = [el.querySelector('.landscape'), el.querySelector('.flat')];
  const field = HeightField(landscape);
  const picture = FlatPicture(flat);
  const columns = new Uint8Array(COLUMNS * BANDS);
  const rows = new Uint8Array(ROWS * BANDS);
  let lost = false;
  let playing = false;
  let drawnMs = 0;
  let pace = Pace.UNKNOWN;

  landscape.addEventListener('webglcontextlost', () => {
    lost = true;
    choose();
  });
  new ResizeObserver(() => fit()).observe(el);
  calm.addEventListener('change', choose);
  new MutationObserver(recolour).observe(document.documentElement, { attributeFilter: ['data-theme'] });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour);
  fit();
  recolour();
  choose();
  requestAnimationFrame(frame);

  return {
    /** @param {{playing: boolean, label: string}} next */
    update(next) {
      if (next.playing !== playing) {
        pace = Pace.paused(pace);
        draw();
      }
      playing = next.playing;
      if (el.getAttribute('aria-label') !== next.label) el.setAttribute('aria-label', next.label);
    },
    /** How it is drawn. @returns {{view: 'landscape' | 'flat', why: '' | 'slow' | 'no-webgl' | 'calm', typicalMs: number | null}} */
    drawn() {
      const view = isFlat() ? 'flat' : 'landscape';
      if (!field || lost) return { view, why: 'no-webgl', typicalMs: null };
      if (calm.matches) return { view, why: 'calm', typicalMs: null };
      return { view, why: pace.detail === 'fine' ? '' : 'slow', typicalMs: pace.typicalMs };
    },
  };

  function isFlat() {
    return !field || lost || calm.matches || pace.detail === 'flat';
  }

  function choose() {
    flat.hidden = !isFlat();
    landscape.hidden = isFlat();
    el.dataset.view = isFlat() ? 'flat' : 'landscape';
    draw();
  }

  function fit() {
    const pixel = (el.clientWidth < SMALL_PX ? SMALL_PIXEL : PIXEL) * (pace.detail === 'coarse' ? COARSER : 1);
    field?.resize(Math.max(1, Math.round(el.clientWidth / pixel)), Math.max(1, Math.round(el.clientHeight / pixel)));
    draw();
  }

  function recolour() {
    const colours = readColours(el.querySelector('.inks'), INKS);
    field?.recolour(colours, isDark());
    picture.recolour(colours);
    draw();
  }

  function frame(nowMs) {
    requestAnimationFrame(frame);
    if (!playing || nowMs - drawnMs < (calm.matches ? STILL_MS : FRAME_MS)) return;
    if (!isFlat()) judge(nowMs - drawnMs);
    drawnMs = nowMs;
    draw();
  }

  /** Draw less where frames take long. @param {number} sinceMs the frame before */
  function judge(sinceMs) {
    const before = pace.detail;
    pace = Pace.drawn(pace, sinceMs);
    if (pace.detail === before) return;
    fit();
    choose();
  }

  function draw() {
    const { segments, ready, heardS } = look();
    const column = Math.floor(heardS * COLUMNS_PER_S);
    if (isFlat()) {
      const { first, playhead } = frameOf(column, calm.matches);
      fillColumns(columns, segments, ready, first);
      picture.draw(columns, playhead);
      return;
    }
    const row = Math.floor(column / ROW_COLUMNS);
    fillColumns(rows, segments, ready, row - PAST_ROWS, ROW_COLUMNS);
    field.draw(rows, (heardS * COLUMNS_PER_S) / ROW_COLUMNS - row, loudness());
  }

  /** How loud it is at the playhead, in 0..1. */
  function loudness() {
    let sum = 0;
    for (let band = 0; band < BANDS; band += 1) sum += rows[PAST_ROWS * BANDS + band];
    return sum / (BANDS * 255);
  }
}
