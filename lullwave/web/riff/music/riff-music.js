/**
 * The music of Riff: asks for clips along the walk, up to three ahead, and schedules them on the audio clock.
 *
 * Holds the state; what it means and how it changes is in the pure modules beside it. Knows nothing of the page, which
 * calls `tick` often and shows `view()`.
 */

import * as Calls from './clip-calls.js';
import * as Schedule from './clip-schedule.js';
import * as Walk from './prompt-walk.js';

const FIRST_CLIP_S = 6; // longest first clip: it is waited for

/**
 * @param {{make: ReturnType<import('./clip-source.js').ClipSource>, context: () => AudioContext | null,
 *   player: () => {update: Function, clear: Function}, nowMs: () => number, random: () => number,
 *   onClip: () => void, onProblem: (error: Error) => void}} parts `onClip`: a clip is ready
 */
export function RiffMusic({ make, context, player, nowMs, random, onClip, onProblem }) {
  let walk = null;
  let home = 0; // the walk's first seed
  let order = null; // {settings, server, engine, token} of the next clips
  let schedule = Schedule.empty();
  let ready = [];
  let calls = Calls.NO_CALLS;
  let running = null; // the AbortController of the call that runs
  let fresh = false; // the next clip is to be heard as soon as it is there
  let behind = false;

  return {
    /** @param {Object} next what clips are made with from now on */
    order(next) {
      order = next;
      calls = Calls.changed(calls);
      behind = false;
    },
    /** @param {string[]} prompts @param {number} seed */
    begin(prompts, seed) {
      home = seed;
      walk = Walk.begin(prompts, seed);
      discard();
    },
    ask: (prompt) => turn(Walk.ask(heardWalk(), prompt)),
    add: (prompt) => {
      walk = Walk.add(walk, prompt);
    },
    jump: (id) => turn(Walk.jump(walk, id)),
    reseed(seed) {
      home = seed;
      turn(Walk.reseed(heardWalk(), seed));
    },
    remove(id) {
      const without = Walk.remove(walk, id);
      if (without !== walk) turn(Walk.back(without, heardWalk()));
    },
    /** What was made with other settings and is not heard yet is made again. */
    remake: () => turn(heardWalk()),
    tryAgain() {
      calls = Calls.changed(calls);
    },
    tick,
    view,
  };

  /** From here the walk goes on as `next`: everything that is not heard yet is dropped. */
  function turn(next) {
    walk = next;
    discard();
    fresh = schedule.segments.length > 0;
  }

  function discard() {
    running?.abort();
    running = null;
    calls = Calls.dropped(calls);
    ready = [];
    const nowS = context()?.currentTime ?? 0;
    const segments = schedule.segments.filter(({ startS }) => startS <= nowS + Schedule.MARGIN_S);
    if (segments.length < schedule.segments.length) {
      schedule = { ...schedule, segments };
      player().update(schedule.segments);
    }
  }

  /** The walk as it was when the clip that is heard now had been asked for, with the list of today. */
  function heardWalk() {
    const clip = heardSegment()?.clip ?? schedule.segments.at(-1)?.clip;
    return clip ? Walk.back(walk, clip.walk) : Walk.back(walk, { ...walk, alpha: null });
  }

  function heardSegment() {
    const heard = context();
    return heard ? Schedule.at(schedule, heard.currentTime) : null;
  }

  /** @param {boolean} mayAsk whether the server may be asked for more */
  function tick(mayAsk) {
    const clock = context();
    if (!clock || !walk || clock.state !== 'running') return;
    const nowS = clock.currentTime;
    if (fresh && ready.length) {
      schedule = Schedule.cut(schedule, nowS);
      fresh = false;
    }
    const lastRepeat = repeats(schedule);
    const filled = Schedule.fill(schedule, ready, nowS);
    schedule = filled.schedule;
    ready = ready.slice(filled.used);
    if (repeats(schedule) > lastRepeat && mayAsk) calls = Calls.repeated(calls);
    player().update(schedule.segments);
    const ahead = ready.length + Schedule.comingClips(schedule, nowS).length;
    if (mayAsk && order && Calls.isDue(calls, ahead, nowMs())) void call();
    behind = Calls.isBehind(calls, behind);
  }

  async function call() {
    const stop = new AbortController();
    running = stop;
    calls = Calls.begun(calls, nowMs());
    const next = Walk.next(walk, order.settings.alphaVelocity);
    const giveUp = setTimeout(() => stop.abort(), 1000 * Calls.patienceS(calls));
    try {
      const clip = await make({ ...order, settings: settingsNow(), home, step: next.step }, stop.signal);
      if (running !== stop) return;
      const place = { at: next.walk.at, seed: next.walk.seed, alpha: next.walk.alpha };
      walk = Walk.back(walk, place);
      ready = [...ready, { ...clip, step: next.step, walk: place }];
      calls = Calls.answered(calls, clip.durationS, nowMs());
      running = null;
      onClip();
    } catch (error) {
      if (running !== stop) return;
      const { status = 0, message, field = null, retryAfterS = 0 } = error;
      calls = Calls.failed(calls, { status: stop.signal.aborted ? 504 : status, message, field, retryAfterS }, nowMs(), random());
      onProblem(error);
    } finally {
      clearTimeout(giveUp);
      if (running === stop) running = null;
    }
  }

  /** The settings of the next clip. Nothing is heard before the first one, so it is short. */
  function settingsNow() {
    const { settings } = order;
    const isFirst = schedule.segments.length === 0 && ready.length === 0;
    return isFirst ? { ...settings, clipS: Math.min(settings.clipS, FIRST_CLIP_S) } : settings;
  }

  /** What is heard and what is to come, for the page to show. */
  function view() {
    const clock = context();
    const heardS = clock ? clock.currentTime - (clock.outputLatency || clock.baseLatency || 0) : 0;
    const segment = clock ? Schedule.at(schedule, heardS) ?? schedule.segments[0] ?? null : null;
    return {
      walk,
      calls,
      behind,
      heardS,
      segment,
      segments: schedule.segments,
      ready,
      step: segment?.clip.step ?? null,
      repeating: segment !== null && isRepeating(segment, heardS),
      waiting: running !== null,
    };
  }
}

/** Whether what is heard has been heard before. */
function isRepeating({ clip, startS, offsetS, repeat }, timeS) {
  return repeat && (!clip.wraps || timeS - startS + offsetS >= clip.durationS);
}

/** Grows with every repetition that is scheduled. */
function repeats({ segments, serial }) {
  const last = segments.at(-1);
  return last?.repeat ? serial + last.untilS : 0;
}
