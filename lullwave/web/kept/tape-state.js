/** "My tape", the visitor's own station: which kept piece follows, what was heard, what the station is like; pure. */

import { clipOf, keyOf, keyOfJob, tagged } from './kept-state.js';

export const TAPE = 'my-tape'; // as in `/#my-tape`
const MOST_HEARD = 7; // pieces that are remembered, with the one that plays

/**
 * @typedef {object} TapeState
 * @property {string} tag only pieces with it are on the tape; empty: all
 * @property {number | null} shuffle what a random order follows from; null: the order in which they were kept
 * @property {object[]} heard clips, newest first, each with `heardAt` in seconds since 1970
 */

/** @type {TapeState} */
export const EMPTY_TAPE = Object.freeze({ tag: '', shuffle: null, heard: [] });

/** The pieces on the tape, in order. @param {import('./kept-pieces.js').Keeping} keeping @param {TapeState} tape */
export function onTape({ pieces, tags }, { tag, shuffle }) {
  const tape = tagged(pieces, tags, tag)
    .filter(({ state }) => state === 'done')
    .reverse();
  if (shuffle === null) return tape;
  const drawn = new Map(tape.map((job) => [job, chance(shuffle, keyOfJob(job))]));
  return tape.sort((one, other) => drawn.get(one) - drawn.get(other));
}

/**
 * What follows on the tape, which plays again and again.
 *
 * @param {import('./kept-pieces.js').Keeping} keeping
 * @param {TapeState} tape
 * @param {{station: string, wall: number} | null | undefined} clip what has ended; none: the tape begins
 * @param {(value: string) => string} fileUrl
 * @returns {object | null} null where nothing is kept
 */
export function nextOnTape(keeping, tape, clip, fileUrl) {
  const order = onTape(keeping, tape);
  if (!order.length) return null;
  const index = clip ? order.findIndex((job) => keyOfJob(job) === keyOf(clip)) : -1;
  return { ...clipOf(order[(index + 1) % order.length], fileUrl), isOnTape: true };
}

/**
 * The piece that the tape goes on with after a pause: the last one, from its beginning.
 *
 * @param {import('./kept-pieces.js').Keeping} keeping @param {TapeState} tape @param {(value: string) => string} fileUrl
 */
export function resumedOnTape(keeping, tape, fileUrl) {
  const last = tape.heard[0];
  const isThere = last && onTape(keeping, tape).some((job) => keyOfJob(job) === keyOf(last));
  return isThere ? last : nextOnTape(keeping, tape, null, fileUrl);
}

/** A piece begins. @param {TapeState} tape @param {object} clip @param {number} heardAt @returns {TapeState} */
export function begun(tape, clip, heardAt) {
  const others = tape.heard.filter((one) => keyOf(one) !== keyOf(clip));
  return { ...tape, heard: [{ ...clip, heardAt }, ...others].slice(0, MOST_HEARD) };
}

/** What was heard before the piece that plays. @param {TapeState} tape @param {object | null} clip */
export const earlierOnTape = ({ heard }, clip) => heard.filter((one) => !clip || keyOf(one) !== keyOf(clip));

/**
 * The stations with the tape after them, with the fields of a station; as they are where nothing is kept.
 *
 * @param {{id: string, scene: any}[]} stations
 * @param {import('./kept-pieces.js').Keeping} keeping
 * @param {TapeState} tape
 * @param {object | null} clip what plays, or will, on the tape
 * @param {ReturnType<import('../shared/strings.js').translator>} t
 */
export function withTape(stations, keeping, tape, clip, t) {
  const count = onTape(keeping, tape).length;
  if (!count || stations.some(({ id }) => id === TAPE)) return stations;
  const pieces = t.count('tape.pieces', count);
  const own = {
    id: TAPE,
    name: t('tape.name'),
    prompt: tape.tag ? t('tape.of-tag', { tag: tape.tag, pieces }) : pieces,
    scene: clip?.scene ?? stations.find(({ id }) => id === clip?.station)?.scene,
    state: 'yours',
    listeners: 0,
    busy: false,
    pieces: count,
  };
  return [...stations, own];
}

/** What a random order follows from, another one in every visit. @param {boolean} shuffles @param {number} random 0 to 1 */
export function shuffleSeed(shuffles, random) {
  return shuffles ? Math.floor(random * 2 ** 31) : null;
}

/** A number that follows from a seed and a name (FNV-1a, with the last mixing step of MurmurHash3). @param {number} seed @param {string} name */
function chance(seed, name) {
  let hash = 2166136261 ^ seed;
  for (const letter of name) hash = Math.imul(hash ^ letter.codePointAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
