/** What a key asks the radio for; pure. Keys never act in a field or while a dialog is open. */

import { isForPlayer } from '../player/space-bar.js';

const NOT_HERE =
  'input:not([type="radio"], [type="range"], [type="checkbox"]), textarea, select, [contenteditable], [role="textbox"], dialog';
const LETTERS = new Map([
  ['m', 'mute'],
  ['f', 'full-window'],
  ['/', 'request'],
  ['?', 'list'],
]);

/**
 * @typedef {{kind: 'play' | 'mute' | 'full-window' | 'request' | 'list'} | {kind: 'station', index: number}} KeyAction
 *
 * @param {Parameters<typeof isForPlayer>[0]} press Shift may be down: some keyboards need it for `/` and `?`
 * @returns {KeyAction | null}
 */
export function actionOf(press) {
  if (press.target?.closest?.(NOT_HERE)) return null;
  if (isForPlayer(press)) return { kind: 'play' };
  if (press.repeat || press.defaultPrevented || press.altKey || press.ctrlKey || press.metaKey) return null;
  if (/^[1-9]$/.test(press.key)) return { kind: 'station', index: Number(press.key) - 1 };
  const kind = LETTERS.get(press.key.toLowerCase());
  return kind ? { kind } : null;
}
