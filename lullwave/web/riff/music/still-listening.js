/** Decides when to ask whether somebody still listens: after ten minutes without a touch. Pure functions. */

export const ASK_AFTER_MS = 10 * 60_000;
export const PAUSE_AFTER_MS = 3 * 60_000; // unanswered; until then the last clip repeats
/** @typedef {{touchedMs: number, phase: 'here' | 'asking' | 'gone'}} Presence */

/** @param {number} nowMs @returns {Presence} */
export function here(nowMs) {
  return { touchedMs: nowMs, phase: 'here' };
}

/**
 * The listener did something. A question stays until it is answered, or until `pressed`: a mouse that is bumped is no answer.
 *
 * @param {Presence} presence @param {number} nowMs @returns {Presence}
 */
export function touched(presence, nowMs) {
  return presence.phase === 'here' ? { ...presence, touchedMs: nowMs } : presence;
}

/**
 * Time passes. While nothing plays, there is nothing to ask.
 *
 * @param {Presence} presence @param {number} nowMs @param {boolean} playing @returns {Presence}
 */
export function ticked(presence, nowMs, playing) {
  if (!playing) return presence.phase === 'here' ? here(nowMs) : presence;
  const idleMs = nowMs - presence.touchedMs;
  if (presence.phase === 'here' && idleMs >= ASK_AFTER_MS) return { ...presence, phase: 'asking' };
  if (presence.phase === 'asking' && idleMs >= ASK_AFTER_MS + PAUSE_AFTER_MS) return { ...presence, phase: 'gone' };
  return presence;
}

/** Whether clips are made: not while nobody answers. @param {Presence} presence */
export function mayAsk({ phase }) {
  return phase === 'here';
}
