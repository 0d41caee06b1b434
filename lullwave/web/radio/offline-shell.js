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
    const keep = (addresses) => {
      const worker = navigator.serviceWorker.controller ?? active;
      worker.postMessage(addresses.map((address) => new URL(address, document.baseURI).href));
    };
    keep([document.baseURI, ...WORDS, ...later]);
    // What is on its way when the worker begins to serve this page passes it by, so it is told of all that has come.
    const loaded = new PerformanceObserver((list) => keep(list.getEntries().map((entry) => entry.name)));
    loaded.observe({ type: 'resource', buffered: true });
  } catch {
    // Without a service worker, the page needs the server.
  }
}
