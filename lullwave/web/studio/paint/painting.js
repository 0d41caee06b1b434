/**
 * A spectrogram that is painted on: 0 is silence, 255 the loudest, row 0 the highest band. Brush, eraser, bands, undo.
 * Pure functions.
 */

import { hzOf, melOf } from '../../shared/fft.js';

export const ROWS = 512; // mel bands of Riffusion's images
export const HIGH_HZ = 10_000;
export const MOST_COLUMNS = 6000; // a minute
const KEPT_STEPS = 60; // of undo

/** @typedef {{tool: 'brush' | 'eraser', size: number, strength: number, overtones: number}} Brush */

/** The frequency of the middle of a row. @param {number} row */
export const rowHz = (row) => hzOf((melOf(HIGH_HZ) * (ROWS - 0.5 - row)) / ROWS);

/** The row that holds a frequency; it may lie outside the image. @param {number} hz */
export const hzRow = (hz) => Math.floor(ROWS - (melOf(hz) / melOf(HIGH_HZ)) * ROWS);

/** @param {number} columns @param {Uint8Array} [levels] ROWS x columns */
export function Painting(columns, levels = new Uint8Array(ROWS * columns)) {
  const done = []; // what each step covered, to be put back
  const undone = [];
  let open = null; // copy of the levels before the step that is being painted

  /** @param {number} left @param {number} right columns, inclusive @param {number} top @param {number} bottom */
  function each(left, right, top, bottom, change) {
    const [x0, x1] = [Math.max(0, Math.floor(left)), Math.min(columns - 1, Math.ceil(right))];
    const [y0, y1] = [Math.max(0, Math.floor(top)), Math.min(ROWS - 1, Math.ceil(bottom))];
    for (let y = y0; y <= y1; y += 1) for (let x = x0; x <= x1; x += 1) levels[y * columns + x] = change(levels[y * columns + x], x, y);
  }

  /** One touch of a round, soft brush. */
  function dab(x, y, { tool, size, strength }, share = 1) {
    const radius = Math.max(0.5, size / 2);
    each(x - radius, x + radius, y - radius, y + radius, (level, atX, atY) => {
      const near = 1 - Math.hypot(atX - x, atY - y) / (radius + 0.5);
      if (near <= 0) return level;
      const much = Math.min(1, near * 2) * strength * share;
      return tool === 'eraser' ? Math.round(level * (1 - much)) : Math.max(level, Math.round(255 * much));
    });
  }

  function touch(x, y, brush) {
    dab(x, y, brush);
    if (brush.tool === 'eraser') return;
    for (let n = 2; n <= brush.overtones + 1; n += 1) {
      const row = hzRow(rowHz(y) * n);
      if (row < 0) break;
      dab(x, row, { ...brush, size: Math.max(1, brush.size * 0.7) }, 1 / n ** 0.5);
    }
  }

  function swapped(step) {
    const now = levels.slice();
    levels.set(step);
    return now;
  }

  const painting = {
    columns,
    levels,
    get canUndo() {
      return done.length > 0;
    },
    get canRedo() {
      return undone.length > 0;
    },
    /** A step of undo begins: a stroke, or one filter. */
    begin() {
      open = levels.slice();
    },
    end() {
      if (open && open.some((level, n) => level !== levels[n])) {
        done.push(open);
        if (done.length > KEPT_STEPS) done.shift();
        undone.length = 0;
      }
      open = null;
    },
    /** Paint from one point to another, without gaps. @param {Brush} brush */
    stroke(fromX, fromY, toX, toY, brush) {
      const steps = Math.max(1, Math.ceil(Math.hypot(toX - fromX, toY - fromY) / Math.max(1, brush.size / 4)));
      for (let n = 0; n <= steps; n += 1) {
        touch(fromX + ((toX - fromX) * n) / steps, fromY + ((toY - fromY) * n) / steps, brush);
      }
    },
    /** Silence the rows between two rows, or all others. @param {boolean} keep */
    band(rowA, rowB, keep) {
      const [top, bottom] = [Math.min(rowA, rowB), Math.max(rowA, rowB)];
      each(0, columns - 1, 0, ROWS - 1, (level, x, y) => (y >= top && y <= bottom) === keep ? level : 0);
    },
    clear() {
      levels.fill(0);
    },
    undo() {
      if (done.length) undone.push(swapped(done.pop()));
    },
    redo() {
      if (undone.length) done.push(swapped(undone.pop()));
    },
    get isEmpty() {
      return levels.every((level) => level === 0);
    },
  };
  return painting;
}

/** The levels of an image's pixels in Riffusion's form: black is loud, read from red. @param {Uint8ClampedArray} rgba */
export function levelsOf(rgba) {
  return Uint8Array.from({ length: rgba.length / 4 }, (_, n) => 255 - rgba[4 * n]);
}

/** The pixels of an image in Riffusion's form. @param {Uint8Array} levels @returns {Uint8ClampedArray} RGBA */
export function pixelsOf(levels) {
  const rgba = new Uint8ClampedArray(4 * levels.length);
  levels.forEach((level, n) => rgba.set([255 - level, 255 - level, 255 - level, 255], 4 * n));
  return rgba;
}
