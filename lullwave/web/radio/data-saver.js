/** The choice of the low bit rate, for slow and metered networks. */

import { emit } from '../shared/emit.js';

/** @param {HTMLElement} el */
export function DataSaver(el) {
  const box = el.querySelector('.box');
  box.addEventListener('change', () => emit(el, 'set-saves-data', box.checked));

  return {
    /** @param {{savesData: boolean}} next */
    update({ savesData }) {
      if (box.checked !== savesData) box.checked = savesData;
    },
  };
}
