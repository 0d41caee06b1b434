/**
 * Draws the pictures of `/s/{station}` into `lullwave/web/icons/`: each place as the page paints it, 1200x630 pixels.
 * Run with Node: `node tools/make_share_pictures.mjs [folder]`.
 */

import { writeFileSync } from 'node:fs';
import { crc32, deflateSync } from 'node:zlib';

import { PLAIN } from '../lullwave/web/landscape/landscape.js';
import { paintPicture } from '../lullwave/web/landscape/picture.js';
import { PLACES } from '../lullwave/web/landscape/places.js';

const [WIDTH, HEIGHT, SCALE] = [200, 105, 6];
const TIMES = { city: 'evening', road: 'night', forest: 'evening', window: 'day', beach: 'day', stars: 'night' };

/** Pixels in memory that are painted like a canvas. @returns {{rgb: Uint8Array, rect: import('../lullwave/web/landscape/sky.js').Rect}} */
export function raster(width, height) {
  const rgb = new Uint8Array(width * height * 3);
  const rect = (colour, x, y, w, h, alpha = 1) => {
    const [r, g, b, a = 1] = channels(colour);
    const share = a * alpha;
    for (let j = Math.max(0, y); j < Math.min(height, y + h); j += 1) {
      for (let i = Math.max(0, x); i < Math.min(width, x + w); i += 1) {
        const at = (j * width + i) * 3;
        for (const [k, value] of [r, g, b].entries()) rgb[at + k] = Math.round(rgb[at + k] * (1 - share) + value * share);
      }
    }
  };
  return { rgb, rect };
}

function channels(colour) {
  if (colour.startsWith('#')) return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return colour.match(/[\d.]+/g).map(Number);
}

/** A PNG of RGB pixels, each drawn `scale` times as large. */
function png(rgb, width, height, scale) {
  const stride = width * scale * 3 + 1;
  const rows = Buffer.alloc(stride * height * scale);
  for (let y = 0; y < height * scale; y += 1) {
    for (let x = 0; x < width * scale; x += 1) {
      const from = (Math.floor(y / scale) * width + Math.floor(x / scale)) * 3;
      rows.set(rgb.subarray(from, from + 3), y * stride + 1 + x * 3);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width * scale, 0);
  header.writeUInt32BE(height * scale, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const folder = process.argv[2] ?? new URL('../lullwave/web/icons', import.meta.url).pathname;
  for (const place of Object.keys(PLACES)) {
    const { rgb, rect } = raster(WIDTH, HEIGHT);
    paintPicture(rect, WIDTH, HEIGHT, { ...PLAIN, place, time: TIMES[place] }, true);
    writeFileSync(`${folder}/share-${place}.png`, png(rgb, WIDTH, HEIGHT, SCALE));
  }
}
