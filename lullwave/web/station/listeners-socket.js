/**
 * The websocket that says whether this page listens and hears how many do; opens itself again when it breaks.
 */

import { retryDelayMs } from '../shared/backoff.js';

/** @param {string} url @param {(count: number | null) => void} onCount gets null while the number is unknown */
export function ListenersSocket(url, onCount) {
  let socket = null;
  let word = 'paused';
  let attempt = 0;
  let timer = 0;

  function open() {
    clearTimeout(timer);
    socket = new WebSocket(url);
    const mine = socket;
    mine.addEventListener('open', () => {
      attempt = 0;
      mine.send(word);
    });
    mine.addEventListener('message', (event) => {
      const count = Number.parseInt(event.data, 10);
      if (mine === socket && Number.isInteger(count) && count >= 0) onCount(count);
    });
    mine.addEventListener('close', () => {
      if (mine !== socket) return;
      onCount(null);
      attempt += 1;
      timer = setTimeout(open, retryDelayMs(attempt, Math.random()));
    });
  }
  open();

  return {
    /** @param {{listening: boolean}} next */
    update({ listening }) {
      const next = listening ? 'listening' : 'paused';
      if (next === word) return;
      word = next;
      if (socket.readyState === WebSocket.OPEN) socket.send(word);
    },
    /** Reconnect at once. */
    wake() {
      if (socket.readyState === WebSocket.CLOSED) open();
    },
  };
}
