/**
 * What the player is doing, as pure functions from one state to the next; knows nothing of the DOM or of
 * the network. Times are milliseconds of one clock that the caller chooses; chance is handed in.
 *
 * `connection` counts the connections that were asked for: the owner of the audio element opens a new one
 * when the number changes, and holds none while `isOpen` is false.
 *
 *   paused ──play──▶ connecting ──sounding──▶ playing ◀──▶ buffering
 *     ▲                  ▲  │                    │            │
 *   pause              tick └───────lost─────────┴────────────┘
 *                        └─────── waiting
 */

import { retryDelayMs } from '../shared/backoff.js';

/** How long sound may stand still in each phase before the connection is given up. */
export const PATIENCE_MS = { connecting: 12_000, playing: 6_000, buffering: 6_000 };

/** A moment of the past is made again before it sounds. */
export const CLIP_PATIENCE_MS = 60_000;

/** Waits between tries end here, so that the music is back soon after the server is. */
const LONGEST_WAIT_MS = 3_000;

/** Sound for this long means that a connection is good, and the next loss starts from short waits again. */
const SETTLED_MS = 5_000;

/**
 * Seconds of music that a connection begins with, which is also how far behind the station it is heard: enough for the
 * usual hiccups of a network, and little, so that changes are heard soon.
 */
const SHORT_BURST_S = 2;

/**
 * @typedef {object} Clip
 * @property {string} url
 * @property {string} title
 * @property {number} seconds
 * @property {boolean} [isOnTape] it plays on the visitor's own station, which has no live stream
 *
 * @typedef {object} PlayerState
 * @property {'paused' | 'connecting' | 'playing' | 'buffering' | 'waiting'} phase
 * @property {number} connection
 * @property {Clip | null} clip what is played instead of the live stream
 * @property {number} attempt tries since the last good connection
 * @property {number | null} retryAt when the next try is due
 * @property {boolean} online what the browser says of its network
 * @property {boolean} missed a moment of the past could not be played, so this is the live stream instead
 * @property {string | null} answer what the server said when it gave no sound
 * @property {boolean} refused the browser did not allow sound without a gesture
 * @property {number} heardTime the audio element's clock when it last moved, in seconds
 * @property {number} movedAt when it last moved
 * @property {number} soundingSince when this connection began to sound
 * @property {boolean} ranDry the live stream broke off or ran out of data while it played
 */

/** @type {PlayerState} */
export const INITIAL = Object.freeze({
  phase: 'paused',
  connection: 0,
  clip: null,
  attempt: 0,
  retryAt: null,
  online: true,
  missed: false,
  answer: null,
  refused: false,
  heardTime: 0,
  movedAt: 0,
  soundingSince: 0,
  ranDry: false,
});

/** @param {PlayerState} state */
export const isWanted = (state) => state.phase !== 'paused';

/** @param {PlayerState} state */
export const isOpen = (state) => state.phase !== 'paused' && state.phase !== 'waiting';

/** With how many seconds a connection should begin; null, as many as the server gives, once few were too few. @param {PlayerState} state */
export const burstS = (state) => (state.ranDry ? null : SHORT_BURST_S);

/** The listener asks for the live stream. */
export function play(state, now) {
  return isWanted(state) && !state.clip ? state : connect({ ...state, attempt: 0, clip: null }, now);
}

/** The listener asks for a moment of the past; when it ends, the live stream follows. */
export function playClip(state, clip, now) {
  return connect({ ...state, attempt: 0, clip }, now);
}

/** The listener asks for silence, which also closes the connection. */
export function pause(state) {
  return { ...state, phase: 'paused', clip: null, attempt: 0, retryAt: null };
}

/** Switch to another station: a player that is on reconnects at once. */
export function retune(state, now) {
  return isWanted(state) ? connect({ ...state, attempt: 0, clip: null }, now) : state;
}

/** The browser refused to make a sound before a gesture. */
export function refuse(state) {
  return { ...pause(state), refused: true };
}

/** The audio element says that it makes sound. */
export function sounding(state, now) {
  if (!isOpen(state) || state.phase === 'playing') return state;
  const soundingSince = state.phase === 'connecting' ? now : state.soundingSince;
  return { ...state, phase: 'playing', movedAt: now, soundingSince };
}

/** The audio element ran out of data. */
export function starved(state, now) {
  return state.phase === 'playing' ? { ...state, phase: 'buffering', movedAt: now, ranDry: state.ranDry || !state.clip } : state;
}

/** The connection broke or ended. */
export function lost(state, now, random) {
  if (!isOpen(state)) return state;
  if (state.clip && !state.clip.isOnTape) return { ...connect({ ...state, clip: null }, now), missed: state.phase === 'connecting' };
  const attempt = state.attempt + 1;
  const ranDry = state.ranDry || (state.phase !== 'connecting' && !state.clip);
  return { ...state, ranDry, phase: 'waiting', attempt, retryAt: now + retryDelayMs(attempt, random, LONGEST_WAIT_MS) };
}

/**
 * The server said why it gave no sound on `connection`: no retry before the time that it names.
 *
 * @param {PlayerState} state
 * @param {number} connection
 * @param {{message: string, retryAfterS: number}} answer
 * @param {number} now
 * @param {number} random in [0, 1)
 */
export function turnedAway(state, connection, { message, retryAfterS }, now, random) {
  if (state.missed && state.connection === connection + 1) return { ...state, answer: message };
  if (state.phase !== 'waiting' || state.connection !== connection) return state;
  const wanted = now + retryAfterS * 1000 * (1 + 0.25 * random);
  return { ...state, answer: message, retryAt: Math.max(state.retryAt, wanted) };
}

/** The listener does not want to wait for the next try. */
export const tryNow = (state, now) => (state.phase === 'waiting' ? connect(state, now) : state);

/** Seconds until the next try, as a countdown shows them; null while none is due. */
export const retryInS = (state, now) => (state.phase === 'waiting' ? Math.max(0, Math.ceil((state.retryAt - now) / 1000)) : null);

/** The browser's network came or went; when it comes, a try that was due later is made now. */
export function network(state, online, now) {
  const next = { ...state, online };
  return online && !state.online && next.phase === 'waiting' ? connect(next, now) : next;
}

/**
 * The watchdog; call it a few times a second.
 *
 * @param {PlayerState} state
 * @param {number} now
 * @param {number} heardTime the audio element's clock in seconds
 * @param {number} random in [0, 1)
 */
export function tick(state, now, heardTime, random) {
  if (state.phase === 'paused') return state;
  if (state.phase === 'waiting') return now >= state.retryAt ? connect(state, now) : state;
  if (heardTime !== state.heardTime) {
    const moved = { ...state, heardTime, movedAt: now };
    if (heardTime <= 0) return moved;
    const settled = state.phase === 'playing' && now - state.soundingSince >= SETTLED_MS;
    return { ...sounding(moved, now), attempt: settled ? 0 : state.attempt, missed: state.missed && !settled };
  }
  const patience = state.clip && state.phase === 'connecting' ? CLIP_PATIENCE_MS : PATIENCE_MS[state.phase];
  return now - state.movedAt > patience ? lost(state, now, random) : state;
}

function connect(state, now) {
  return {
    ...state,
    phase: 'connecting',
    connection: state.connection + 1,
    retryAt: null,
    missed: false,
    answer: null,
    refused: false,
    heardTime: 0,
    movedAt: now,
    soundingSince: now,
  };
}
