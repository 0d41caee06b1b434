/**
 * What is heard when: events stamped with stream frames, and the frame that sounds now. Pure.
 *
 * The server sends an event when its sound goes on air, and a listener hears that sound seconds later. So
 * events wait here until the frame that is heard has reached theirs.
 */

/**
 * @typedef {{kind: string, frame: number, [detail: string]: unknown}} Stamped
 * @typedef {object} Timeline
 * @property {number} rate frames a second
 * @property {number | null} first the frame that this listener was given first; null while unknown
 * @property {number} live the newest frame that is known to be on air
 * @property {number | null} zero when frame 0 was on air, in seconds since 1970; null while unknown
 * @property {Stamped[]} events in the order of their frames
 */

/** How many events are kept; a listener is never this far behind. */
const MOST = 64;

/** @returns {Timeline} */
export const emptyTimeline = (rate = 44_100) => ({ rate, first: null, live: 0, zero: null, events: [] });

/** @param {Timeline} timeline @param {Stamped} event @returns {Timeline} */
export function stamp(timeline, event) {
  const known = timeline.events.some((e) => e.kind === event.kind && e.frame === event.frame);
  const live = Math.max(timeline.live, event.frame);
  if (known) return { ...timeline, live };
  const events = [...timeline.events, event].sort((a, b) => a.frame - b.frame).slice(-MOST);
  return { ...timeline, events, live };
}

/** The station is at `frame` on air. */
export function advance(timeline, frame) {
  return frame > timeline.live ? { ...timeline, live: frame } : timeline;
}

/**
 * The event stream opened, or opened again. What was stamped before stays, unless the station's clock went
 * back: then it has started anew.
 *
 * @param {Timeline} timeline @param {{rate: number, frame: number, wall?: number, first_frame: number | null}} hello
 */
export function greet(timeline, { rate, frame, wall, first_frame: first }) {
  const goesOn = rate === timeline.rate && frame >= timeline.live;
  const zero = wall === undefined ? null : wall - frame / rate;
  return { ...(goesOn ? timeline : emptyTimeline(rate)), first, zero, live: frame };
}

/** A connection was given `first` as its first frame (null: a new connection, nothing known yet). */
export const begin = (timeline, first) => ({ ...timeline, first });

/**
 * The frame that sounds now. Without a connection, or before its first frame is known, that is the frame on air.
 *
 * @param {Timeline} timeline
 * @param {number | null} currentTime the audio element's clock in seconds; null while it is silent
 * @param {number | null} [startWall] the date of that clock's 0, in seconds since 1970, where the stream tells it
 */
export function heardFrame(timeline, currentTime, startWall = null) {
  if (currentTime === null) return timeline.live;
  if (startWall !== null && timeline.zero !== null) return Math.floor((startWall + currentTime - timeline.zero) * timeline.rate);
  if (timeline.first === null) return timeline.live;
  return timeline.first + Math.floor(currentTime * timeline.rate);
}

/**
 * The newest event of a kind whose sound has been reached.
 *
 * @param {Timeline} timeline @param {string} kind @param {number} frame @returns {Stamped | null}
 */
export function latest(timeline, kind, frame) {
  return timeline.events.findLast((e) => e.kind === kind && e.frame <= frame) ?? null;
}

/** The oldest event of a kind that is known. @returns {Stamped | null} */
export function oldest(timeline, kind) {
  return timeline.events.find((e) => e.kind === kind) ?? null;
}

/** How much of a piece has been heard in 0..1; null where its length is unknown. */
export function share(piece, frame) {
  if (!piece?.frames) return null;
  return Math.min(1, Math.max(0, (frame - piece.frame) / piece.frames));
}

/** Seconds until a frame sounds to a listener who hears `heard`. */
export const untilS = (timeline, frame, heard) => (frame - heard) / timeline.rate;

/** How far the listener is behind the station, in seconds. */
export function lagS(timeline, frame) {
  return Math.max(0, (timeline.live - frame) / timeline.rate);
}
