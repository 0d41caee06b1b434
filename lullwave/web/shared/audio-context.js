/**
 * The one WebAudio context of the page, for sounds that the page makes itself. Made at the first gesture that
 * needs it. The station's music does not pass through it.
 */

let context = null;

/** @returns {AudioContext | null} null where the browser has none */
export function audioContext() {
  if (!('AudioContext' in globalThis)) return null;
  context ??= new AudioContext();
  if (context.state === 'suspended') void context.resume();
  return context;
}
