/** Worker: samples, or a spectrogram image, in; levels and beat out. */

import { beatOf } from '../music/beat.js';
import { BANDS, COLUMNS_PER_S, imageLevels, melLevels } from './mel-levels.js';

const IMAGE_COLUMNS_PER_S = 100; // of Riffusion's images

addEventListener('message', async ({ data: { id, samples, rate, image } }) => {
  const levels = (image ? await levelsOf(image) : null) ?? melLevels(samples, rate);
  postMessage({ id, levels, beat: beatOf(levels, BANDS, COLUMNS_PER_S) }, [levels.buffer]);
});

/** The levels of an image file, or null where this browser cannot read it in a worker. @param {Uint8Array} bytes */
async function levelsOf(bytes) {
  try {
    const bitmap = await createImageBitmap(new Blob([bytes]));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    const { data, width, height } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    bitmap.close();
    return imageLevels(data, width, height, IMAGE_COLUMNS_PER_S);
  } catch {
    return null;
  }
}
