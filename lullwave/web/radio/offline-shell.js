/** Registers the service worker that opens the pages without the server; see `sw.js`. */

import { LANGUAGES } from '../shared/strings.js';

const WORDS = Object.keys(LANGUAGES).map((language) => `static/strings/${language}.js`);

/**
 * Once the page has loaded. Browsers allow it on https and on this machine only; elsewhere the page works on without.
 *
 * @param {string[]} [later] files that are loaded when they are first needed, which may be offline
 */
export async function keepShell(later = []) {
  try {
    if (document.readyState !== 'complete') await new Promise((done) => window.addEventListener('load', done, { once: true }));
    await navigator.serviceWorker.register('sw.js');
    const { active } = await navigator.serviceWorker.ready;
    const keep = () => {
      const loaded = performance.getEntriesByType('resource').map((entry) => entry.name);
      active.postMessage([document.baseURI, ...loaded, ...[...WORDS, ...later].map((path) => new URL(path, document.baseURI).href)]);
    };
    // What loads before the worker serves this page passes it by.
    if (!navigator.serviceWorker.controller) navigator.serviceWorker.addEventListener('controllerchange', keep, { once: true });
    keep();
  } catch {
    // Without a service worker, the page needs the server.
  }
}
