/** Plays the schedule: a source for each segment, started, faded and stopped on the audio clock. */

import { endOf } from './clip-schedule.js';

const CURVE_POINTS = 33;
const RISE = Float32Array.from({ length: CURVE_POINTS }, (_, n) => Math.sin((0.5 * Math.PI * n) / (CURVE_POINTS - 1)));
const FALL = RISE.slice().reverse(); // equal power: the squares of both add up to 1
const LATE_S = 0.02; // a segment that begins so soon still begins in time
const OVER_S = 0.5; // after its last sample a voice is let go

/**
 * @param {BaseAudioContext} context @param {AudioNode} output
 * @typedef {import('./clip-schedule.js').Segment & {clip: {buffer: AudioBuffer}}} Sounding
 */
export function ClipPlayer(context, output) {
  /** @type {Map<number, {source: AudioBufferSourceNode, fall: GainNode, startS: number, untilS: number, fadeS: number}>} */
  const voices = new Map();

  return {
    /** Make what sounds be what is scheduled. @param {Sounding[]} segments */
    update(segments) {
      const scheduled = new Set(segments.map(({ id }) => id));
      for (const [id, voice] of voices) {
        const over = voice.untilS + voice.fadeS + OVER_S < context.currentTime;
        if (over || (!scheduled.has(id) && voice.startS > context.currentTime)) end(id, voice);
      }
      segments.forEach((segment, n) => {
        const fadeS = segments[n + 1]?.fadeS ?? endOf(segment.clip).fadeS;
        const voice = voices.get(segment.id);
        if (voice) {
          if (voice.untilS !== segment.untilS || voice.fadeS !== fadeS) stopAt(voice, segment.untilS, fadeS);
        } else if (segment.untilS > context.currentTime) start(segment, fadeS);
      });
    },
    /** Silence at once. */
    clear() {
      for (const [id, voice] of voices) end(id, voice);
    },
  };

  function start(segment, fadeS) {
    const { id, clip, offsetS } = segment;
    const rise = context.createGain();
    const fall = context.createGain();
    const source = context.createBufferSource();
    source.buffer = clip.buffer;
    source.loop = clip.wraps;
    source.connect(rise).connect(fall).connect(output);
    const lateS = Math.max(0, context.currentTime + LATE_S - segment.startS);
    const startS = segment.startS + lateS;
    rise.gain.setValueCurveAtTime(RISE, startS, segment.fadeS);
    source.start(startS, (offsetS + lateS) % clip.buffer.duration);
    const voice = { source, fall, startS, untilS: 0, fadeS: 0 };
    stopAt(voice, Math.max(segment.untilS, startS + LATE_S), fadeS);
    voices.set(id, voice);
  }

  function stopAt(voice, untilS, fadeS) {
    const { fall, source } = voice;
    fall.gain.cancelScheduledValues(Math.min(untilS, voice.untilS));
    fall.gain.setValueCurveAtTime(FALL, untilS, fadeS);
    source.stop(untilS + fadeS);
    Object.assign(voice, { untilS, fadeS });
  }

  function end(id, { source, fall }) {
    voices.delete(id);
    source.stop();
    fall.disconnect();
  }
}
