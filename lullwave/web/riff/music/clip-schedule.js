/**
 * Decides which clip sounds when, in seconds of the audio clock. Pure functions.
 *
 * A clip plays from its first beat to its last one, where the next clip begins. Where no clip is ready, the last one
 * repeats: as a whole where its end meets its beginning, else its last bars. Once a clip is ready again, the
 * repetition ends at the next bar.
 *
 * @typedef {{id: number, durationS: number, firstS: number, beatS: number | null, wraps: boolean}} Clip
 *   `firstS` is its first beat, `beatS` the distance of beats (null: unknown), `wraps` whether its end meets its start
 * @typedef {{id: number, clip: Clip, startS: number, offsetS: number, untilS: number, fadeS: number, repeat: boolean}} Segment
 *   plays `clip` from `offsetS` on at `startS`, fades in for `fadeS`, and ends at `untilS`, where the next one begins
 * @typedef {{segments: Segment[], serial: number}} Schedule
 */

export const LEAD_S = 2; // sound is scheduled this far ahead: timers of hidden tabs run once a second
export const MARGIN_S = 0.2; // nothing that sounds so soon is changed any more
export const PAST_S = 6; // seconds that are kept behind the playhead, to be seen
const FIRST_S = 0.1; // from the first clip's arrival to its sound
const LOOP_S = 8; // the longest passage that is repeated
const BAR_BEATS = 4;
const SHORT_FADE_S = 0.02;
const LONG_FADE_S = 0.25;
const BEATLESS_FADE_S = 0.5;
const TOLERANCE_S = 0.06; // a clip that is so much shorter than its bars is cut a little early

/** @returns {Schedule} */
export function empty() {
  return { segments: [], serial: 0 };
}

/**
 * Where a clip ends for the next one to begin, and the fade there: on its last beat.
 *
 * @param {Clip} clip @returns {{endS: number, fadeS: number}}
 */
export function endOf({ durationS, firstS, beatS, wraps }) {
  if (wraps) return { endS: durationS, fadeS: Math.min(LONG_FADE_S, durationS / 4) };
  const shortest = Math.min(SHORT_FADE_S, durationS / 8);
  if (!beatS) {
    const fadeS = Math.min(BEATLESS_FADE_S, durationS / 8);
    return { endS: durationS - fadeS, fadeS };
  }
  const beats = Math.floor((durationS - firstS + TOLERANCE_S) / beatS);
  if (beats < 1) return { endS: durationS - shortest, fadeS: shortest };
  const endS = Math.min(firstS + beats * beatS, durationS - shortest);
  return { endS, fadeS: Math.min(LONG_FADE_S, durationS - endS) };
}

/** Where the repetition of a clip begins: whole bars before its end. @param {Clip} clip @returns {number} seconds */
export function loopStart(clip) {
  const { endS } = endOf(clip);
  if (clip.wraps || !clip.beatS) return clip.wraps ? 0 : Math.min(clip.firstS, endS / 2);
  const barS = BAR_BEATS * clip.beatS;
  const bars = Math.floor((Math.min(endS - clip.firstS, LOOP_S) + TOLERANCE_S) / barS);
  if (bars >= 1) return Math.max(clip.firstS, endS - bars * barS);
  const beats = Math.max(1, Math.floor((endS - clip.firstS + TOLERANCE_S) / clip.beatS));
  return Math.max(clip.firstS, endS - beats * clip.beatS);
}

/**
 * Schedule what is to sound within the next `LEAD_S`: ready clips in their order, else repetitions.
 *
 * @param {Schedule} schedule @param {Clip[]} ready @param {number} nowS
 * @returns {{schedule: Schedule, used: number}} `used` counts the clips taken from `ready`
 */
export function fill(schedule, ready, nowS) {
  let next = pruned(schedule, nowS);
  let used = 0;
  if (ready.length) next = withoutRepeats(next, nowS);
  while (used < ready.length || next.segments.length) {
    const last = next.segments.at(-1);
    if (last && last.untilS - nowS >= LEAD_S) break;
    if (used < ready.length) next = append(next, ready[used++], nowS, false);
    else next = append(next, last.clip, nowS, true);
  }
  return { schedule: next, used };
}

/**
 * End what sounds at its next bar, or within a moment where it has no beat, and drop what follows.
 *
 * @param {Schedule} schedule @param {number} nowS
 */
export function cut(schedule, nowS) {
  const begun = schedule.segments.filter(({ startS }) => startS <= nowS + MARGIN_S);
  const last = begun.at(-1);
  if (!last) return { ...schedule, segments: begun };
  const untilS = Math.min(last.untilS, nextBar(last, nowS + MARGIN_S));
  return { ...schedule, segments: [...begun.slice(0, -1), { ...last, untilS }] };
}

/** The segment that sounds at a time, or null. @param {Schedule} schedule @param {number} timeS */
export function at(schedule, timeS) {
  return schedule.segments.findLast(({ startS, untilS }) => startS <= timeS && timeS < untilS) ?? null;
}

/** The place in a clip that a segment plays at a time. @param {Segment} segment @param {number} timeS */
export function placeOf({ clip, startS, offsetS }, timeS) {
  const placeS = offsetS + timeS - startS;
  return clip.wraps ? placeS % clip.durationS : placeS;
}

/** Clips that begin later than `timeS`, without repetitions. @param {Schedule} schedule @param {number} timeS */
export function comingClips(schedule, timeS) {
  return schedule.segments.filter(({ startS, repeat }) => !repeat && startS > timeS).map(({ clip }) => clip);
}

function append(schedule, clip, nowS, repeat) {
  const last = schedule.segments.at(-1);
  const joined = last !== undefined && last.untilS > nowS;
  const startS = joined ? last.untilS : nowS + FIRST_S;
  const { endS, fadeS } = endOf(clip);
  const offsetS = repeat ? loopStart(clip) : clip.firstS;
  if (repeat && clip.wraps && joined) {
    const longer = { ...last, untilS: last.untilS + clip.durationS, repeat: true };
    return { ...schedule, segments: [...schedule.segments.slice(0, -1), longer] };
  }
  const serial = schedule.serial + 1;
  const fadeInS = joined ? Math.min(endOf(last.clip).fadeS, fadeS || SHORT_FADE_S) : SHORT_FADE_S;
  const segment = { id: serial, clip, startS, offsetS, untilS: startS + endS - offsetS, fadeS: fadeInS, repeat };
  return { serial, segments: [...schedule.segments, segment] };
}

/** Repetitions that have not begun are dropped, and one that has begun ends at its next bar. */
function withoutRepeats(schedule, nowS) {
  const segments = [...schedule.segments];
  const begun = ({ startS }) => startS <= nowS + MARGIN_S;
  while (segments.length && segments.at(-1).repeat && !segments.at(-1).clip.wraps && !begun(segments.at(-1))) segments.pop();
  const last = segments.at(-1);
  if (!last?.repeat) return { ...schedule, segments };
  const onceS = last.clip.wraps ? last.startS + last.clip.durationS - last.offsetS : last.startS;
  const barS = begun(last) ? nextBar(last, nowS + MARGIN_S) : onceS;
  const untilS = Math.min(last.untilS, Math.max(onceS, barS));
  return { ...schedule, segments: [...segments.slice(0, -1), { ...last, untilS, repeat: untilS > onceS }] };
}

function nextBar({ clip, startS }, timeS) {
  if (!clip.beatS) return timeS + BEATLESS_FADE_S;
  const barS = BAR_BEATS * clip.beatS;
  return startS + Math.ceil((timeS - startS) / barS) * barS;
}

function pruned(schedule, nowS) {
  const kept = schedule.segments.filter(({ untilS }, n, all) => n === all.length - 1 || untilS > nowS - PAST_S);
  return kept.length === schedule.segments.length ? schedule : { ...schedule, segments: kept };
}
