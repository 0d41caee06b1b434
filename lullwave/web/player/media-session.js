/** Media keys, headset buttons and the lock screen. */

import { emit } from '../shared/emit.js';

const ARTWORK = ['192', '512'].map((size) => ({
  src: new URL(`../icons/icon-${size}.png`, import.meta.url).href,
  sizes: `${size}x${size}`,
  type: 'image/png',
}));

/** @param {HTMLElement} el the element that emits the events */
export function MediaControls(el) {
  const session = navigator.mediaSession;
  if (!session) return { update() {} };
  let shown = '';

  const actions = { play: 'play', pause: 'pause', stop: 'pause', nexttrack: 'next-station', previoustrack: 'previous-station' };
  for (const [action, name] of Object.entries(actions)) {
    try {
      session.setActionHandler(action, () => emit(el, name));
    } catch {
      // This browser knows fewer actions.
    }
  }

  return {
    /** @param {{title: string, station: string, playing: boolean}} next */
    update({ title, station, playing }) {
      session.playbackState = playing ? 'playing' : 'paused';
      const key = `${title}\n${station}`;
      if (key === shown) return;
      shown = key;
      session.metadata = new MediaMetadata({ title, artist: station, album: 'Lullwave', artwork: ARTWORK });
    },
  };
}
