/** Computes ambience layers beside the page, which stays smooth: a layer's name in, its two sides out. */

import { renderLayer } from './ambience-sound.js';

addEventListener('message', ({ data: layer }) => {
  const sides = renderLayer(layer);
  postMessage({ layer, sides }, { transfer: sides.map((side) => side.buffer) });
});
