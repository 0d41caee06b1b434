/**
 * The one audio element: holds a connection while the player wants one, and none while it is paused.
 *
 * Its loudness is a function of its own clock (`currentTime`): a short fade at the start of every connection and at the
 * end of a piece of the tape, and the sleep timer's at the end, whatever the page's timers do.
 */

import { emit } from '../shared/emit.js';

const FADE_IN_S = 1.5;
const FADE_OUT_S = 4;
const HLS_TYPE = 'application/vnd.apple.mpegurl';

/** Loudness grows with the square of the slider, which is closer to how the ear judges. */
export const taper = (volume) => volume ** 2;

/** Gain of the fade at the start of a connection in 0..1. */
export const fadeIn = (time) => Math.min(1, 0.05 + Math.max(0, time) / FADE_IN_S);

/** Gain of the fade at the end of a sound of `length` seconds in 0..1; null has no end. @param {number} time @param {number | null} length */
export const fadeOut = (time, length) => (length === null ? 1 : Math.max(0, Math.min(1, (length - time) / FADE_OUT_S)));

/**
 * Browsers that play HLS themselves and tell the date of what they play, so that titles come with their sound: Safari,
 * which keeps such a stream through changes of network and other speakers. MP3 is closer to the station, and for all others.
 *
 * @param {HTMLAudioElement} el
 */
const playsHls = (el) => el.canPlayType(HLS_TYPE) !== '' && typeof el.getStartDate === 'function';

/** @param {HTMLAudioElement} el */
export function AudioStream(el) {
  let connection = 0;
  let hls = playsHls(el);
  let sounded = false;
  let gain = 1;
  let length = null;

  for (const name of ['playing', 'waiting', 'error', 'ended', 'timeupdate']) {
    el.addEventListener(name, () => {
      if (name === 'timeupdate') applyVolume();
      if (name === 'playing') sounded = true;
      if (el.hasAttribute('src')) emit(el, `audio-${name}`, { connection });
    });
  }
  // Headphones that are pulled out and keys that the system handles pause the element behind the page's back.
  el.addEventListener('pause', () => {
    if (el.hasAttribute('src') && !el.ended && !el.error) emit(el, 'pause');
  });

  return {
    get time() {
      return el.currentTime;
    },
    /** Whether the live stream is asked for as HLS: while that works here. */
    get hls() {
      return hls;
    },
    /** The date of the time 0 of a stream of HLS, in seconds since 1970; null of another, or while it is unknown. */
    get startWall() {
      const date = isHls() ? el.getStartDate().getTime() / 1000 : NaN;
      return Number.isFinite(date) ? date : null;
    },
    /**
     * @param {{url: string | null, connection: number, volume: number, sleepGain: number, length?: number | null}} next
     *   `length`: of a sound that fades out at its end, in seconds
     */
    update(next) {
      length = next.length ?? null;
      gain = taper(next.volume) * next.sleepGain;
      applyVolume();
      if (next.url === null) close();
      else if (next.connection !== connection) open(next.url, next.connection);
    },
  };

  function applyVolume() {
    el.volume = Math.min(1, gain * fadeIn(el.currentTime) * fadeOut(el.currentTime, length));
  }

  function isHls() {
    return hls && el.hasAttribute('src') && new URL(el.src).pathname.endsWith('.m3u8');
  }

  function open(url, number) {
    doubtHls();
    connection = number;
    sounded = false;
    el.src = url;
    el.play().catch((error) => {
      if (number === connection && error.name === 'NotAllowedError') emit(el, 'audio-refused');
    });
  }

  function close() {
    if (!el.hasAttribute('src')) return;
    doubtHls();
    el.removeAttribute('src');
    el.load();
  }

  /** A stream of HLS that never sounded: the server may have none, so MP3 is next. */
  function doubtHls() {
    if (isHls() && !sounded) hls = false;
  }
}
