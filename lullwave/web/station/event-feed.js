/**
 * The station's event stream, held open for as long as there is an address.
 *
 * The browser retries a broken stream by itself but gives up on an error status; this does not.
 */

import { retryDelayMs } from '../shared/backoff.js';

const KINDS = ['hello', 'first', 'piece', 'steer', 'listeners', 'state', 'programme', 'busy', 'rung', 'bands', 'queue', 'dropped', 'ended', 'ambience'];

/** What an event tells of a station, by its kind. */
export const LEARNED = {
  listeners: ({ count }) => ({ listeners: count }),
  state: ({ state, engine }) => ({ state, engine }),
  busy: ({ busy }) => ({ busy }),
  rung: ({ engine, rung, cause, asked }) => ({ engine, rung, cause, asked }),
};

/** @param {(kind: string, data: any) => void} onEvent */
export function EventFeed(onEvent) {
  let source = null;
  let url = null;
  let attempt = 0;
  let timer = 0;

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function open() {
    close();
    source = new EventSource(url);
    const mine = source;
    for (const kind of KINDS) {
      mine.addEventListener(kind, (event) => {
        if (mine !== source) return;
        attempt = 0;
        onEvent(kind, JSON.parse(event.data));
      });
    }
    mine.addEventListener('error', () => {
      if (mine !== source || mine.readyState !== EventSource.CLOSED) return;
      attempt += 1;
      timer = setTimeout(open, retryDelayMs(attempt, Math.random()));
    });
  }

  return {
    /** @param {{url: string | null}} next */
    update(next) {
      if (next.url === url) return;
      url = next.url;
      attempt = 0;
      if (url) open();
      else close();
    },
    /** Reconnect at once. */
    wake() {
      if (url && source.readyState !== EventSource.OPEN) open();
    },
  };
}
