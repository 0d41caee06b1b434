/**
 * The offline shell, a service worker: pages and their files come from the server, and from a copy where it cannot be
 * reached. Music, events and the HTTP interface are left to the browser.
 */

const SHELL = 'lullwave-shell';
const PAGES = ['', 'riff', 'studio'];

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('message', (event) => event.waitUntil(keepAll(event.data)));
self.addEventListener('fetch', (event) => {
  if (event.request.method === 'GET' && isShell(event.request.url)) event.respondWith(freshOrKept(event.request));
});

/** Whether an address is a page or a file of one. @param {string} address */
function isShell(address) {
  const { scope } = self.registration;
  if (!address.startsWith(scope)) return false;
  const name = address.slice(scope.length).split(/[?#]/)[0];
  return PAGES.includes(name) || name.startsWith('static/');
}

/** @param {Request} request */
async function freshOrKept(request) {
  const shell = await caches.open(SHELL);
  try {
    const reply = await fetch(request);
    if (reply.status === 200) void shell.put(plain(request.url), reply.clone()).catch(() => {}); // a full disk: no copy
    return reply;
  } catch {
    return (await shell.match(plain(request.url))) ?? Response.error();
  }
}

/** Keep what a page loaded past this worker, and try again what a busy server refuses. @param {string[]} addresses */
async function keepAll(addresses) {
  const shell = await caches.open(SHELL);
  for (let wait = 500; wait <= 8000; wait *= 2) {
    const kept = new Set((await shell.keys()).map((request) => request.url));
    const lacking = [...new Set(addresses.filter(isShell).map(plain))].filter((address) => !kept.has(address));
    const tried = await Promise.allSettled(lacking.map((address) => shell.add(address)));
    if (tried.every(({ status }) => status === 'fulfilled')) return;
    await new Promise((done) => setTimeout(done, wait));
  }
}

/** An address without query and fragment. @param {string} address */
const plain = (address) => address.split(/[?#]/)[0];
