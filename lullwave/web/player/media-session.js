/** Media keys, headset buttons and the lock screen, with the place outside the window as its picture. */

import { paintPicture, rectOn } from '../landscape/picture.js';
import { emit } from '../shared/emit.js';

const ICON = { src: new URL('../icons/icon-192.png', import.meta.url).href, sizes: '192x192', type: 'image/png' };
const [PAINTED_PX, ARTWORK_PX] = [96, 768];

/** @param {HTMLElement} el the element that emits the events */
export function MediaControls(el) {
  const session = navigator.mediaSession;
  if (!session) return { update() {} };
  let shown = '';
  let place = '';
  let artwork = [ICON];

  const actions = { play: 'play', pause: 'pause', stop: 'pause', nexttrack: 'next-station', previoustrack: 'previous-station' };
  for (const [action, name] of Object.entries(actions)) {
    try {
      session.setActionHandler(action, () => emit(el, name));
    } catch {
      // This browser knows fewer actions.
    }
  }

  return {
    /** @param {{title: string, station: string, playing: boolean, scenery: import('../landscape/landscape.js').Scenery}} next */
    update({ title, station, playing, scenery }) {
      session.playbackState = playing ? 'playing' : 'paused';
      const seen = JSON.stringify(scenery);
      if (playing && seen !== place) {
        place = seen;
        artwork = [drawn(scenery), ICON];
        shown = '';
      }
      const key = `${title}\n${station}`;
      if (key === shown) return;
      shown = key;
      session.metadata = new MediaMetadata({ title, artist: station, album: 'Lullwave', artwork });
    },
  };
}

/** The place as a picture of large pixels. @param {import('../landscape/landscape.js').Scenery} scenery */
function drawn(scenery) {
  const [small, large] = [PAINTED_PX, ARTWORK_PX].map((size) => Object.assign(document.createElement('canvas'), { width: size, height: size }));
  paintPicture(rectOn(small.getContext('2d')), PAINTED_PX, PAINTED_PX, scenery, true);
  const context = large.getContext('2d');
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, ARTWORK_PX, ARTWORK_PX);
  return { src: large.toDataURL('image/png'), sizes: `${ARTWORK_PX}x${ARTWORK_PX}`, type: 'image/png' };
}
