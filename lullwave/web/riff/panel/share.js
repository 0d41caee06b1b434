/** The link that brings this music back: shown, copied, or handed to the system's own dialog. */

import { COPIED, NOT_COPIED } from '../wording.js';

/** @param {HTMLElement} el */
export function Share(el) {
  const link = el.querySelector('.link');
  const told = el.querySelector('.told');
  link.addEventListener('focus', () => link.select());
  el.querySelector('.copy').addEventListener('click', () => void copy());

  return {
    /** @param {{url: string}} next */
    update({ url }) {
      if (link.value === url) return;
      link.value = url;
      told.textContent = '';
    },
  };

  /** Plain HTTP pages have no clipboard but the old one. */
  async function copy() {
    try {
      await navigator.clipboard.writeText(link.value);
      told.textContent = COPIED;
    } catch {
      link.focus();
      link.select();
      told.textContent = document.execCommand('copy') ? COPIED : NOT_COPIED;
    }
  }
}
