/** Registers the service worker that opens the pages without the server; see `sw.js`. */

const LATER = ['static/ambience/ambience-worker.js']; // loaded when it is first needed, which may be offline

/** Once the page has loaded. Browsers allow it on https and on this machine only; elsewhere the page works on without. */
export async function keepShell() {
  try {
    if (document.readyState !== 'complete') await new Promise((done) => window.addEventListener('load', done, { once: true }));
    await navigator.serviceWorker.register('sw.js');
    const { active } = await navigator.serviceWorker.ready;
    const loaded = performance.getEntriesByType('resource').map((entry) => entry.name);
    active.postMessage([document.baseURI, ...loaded, ...LATER.map((path) => new URL(path, document.baseURI).href)]);
  } catch {
    // Without a service worker, the page needs the server.
  }
}
