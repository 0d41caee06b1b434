/** Whether a press of the space bar is meant for the player; pure. */

const OWN_USE = 'a, button, input, textarea, select, summary, audio, video, [contenteditable], [role="slider"], [role="textbox"]';

/** @param {{key: string, repeat: boolean, altKey: boolean, ctrlKey: boolean, metaKey: boolean, shiftKey: boolean,
 *   defaultPrevented: boolean, target: {closest?: (selector: string) => unknown} | null}} press */
export function isForPlayer(press) {
  if (press.key !== ' ' || press.repeat || press.defaultPrevented) return false;
  if (press.altKey || press.ctrlKey || press.metaKey || press.shiftKey) return false;
  return !press.target?.closest?.(OWN_USE);
}
