/** Riff's schedule on the audio clock and its spectrogram: no gap whatever comes when, beats kept, known tones seen. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { beatOf } from '../../lullwave/web/riff/music/beat.js';
import * as Pace from '../../lullwave/web/riff/view/frame-pace.js';
import * as Schedule from '../../lullwave/web/riff/music/clip-schedule.js';
import { fillColumns } from '../../lullwave/web/riff/view/columns.js';
import { BANDS, COLUMNS_PER_S, imageLevels, melLevels } from '../../lullwave/web/riff/view/mel-levels.js';

const clip = (id, durationS, more = {}) => ({ id, durationS, firstS: 0, beatS: null, wraps: false, ...more });
const near = (a, b, within, what) => assert.ok(Math.abs(a - b) <= within, `${what ?? ''} ${a} is not near ${b}`);

function random(seed) {
  let state = seed;
  return () => (state = (state * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
}

/** The sound of every moment, as the schedules of a whole run have it: the first that was said of it holds. */
function run({ clips, seconds, everyS }) {
  let schedule = Schedule.empty();
  const coming = [...clips];
  const played = new Map();
  for (let nowS = 0; nowS < seconds; nowS += everyS()) {
    const ready = [];
    while (coming.length && coming[0].readyS <= nowS) ready.push(coming.shift());
    const filled = Schedule.fill(schedule, ready, nowS);
    coming.unshift(...ready.slice(filled.used));
    schedule = filled.schedule;
    const held = new Set(schedule.segments.map(({ id }) => id));
    for (const [id, { startS }] of played) if (startS > nowS && !held.has(id)) played.delete(id);
    for (const segment of schedule.segments) played.set(segment.id, segment);
  }
  return [...played.values()];
}

test('no gap and no overlap, whatever the lengths of clips and whenever they come', () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const draw = random(seed);
    let readyS = 0;
    const clips = Array.from({ length: 40 }, (_, n) => {
      readyS += draw() < 0.2 ? 30 * draw() : 5 * draw();
      const beatS = draw() < 0.3 ? null : 0.35 + 0.65 * draw();
      return clip(n, 0.3 + 20 * draw() ** 2, { readyS, beatS, firstS: beatS ? draw() * Math.min(beatS, 0.1) : 0, wraps: draw() < 0.3 });
    });
    const segments = run({ clips, seconds: readyS + clips.reduce((sum, one) => sum + one.durationS, 40), everyS: () => 0.05 + draw() * 1.1 });
    segments.forEach((segment, n) => {
      const following = segments[n + 1];
      if (following) near(following.startS, segment.untilS, 1e-9, `seed ${seed}`);
      assert.ok(segment.untilS > segment.startS);
      // A clip's sound covers its segment and the fade after it; where the end meets the start it goes round.
      const lastS = segment.offsetS + segment.untilS - segment.startS + (following?.fadeS ?? 0);
      if (!segment.clip.wraps) assert.ok(lastS <= segment.clip.durationS + 1e-9, `seed ${seed}: ${lastS}`);
    });
    assert.deepEqual(segments.filter(({ repeat, offsetS, clip: { firstS } }) => !repeat || offsetS === firstS).map((s) => s.clip.id)
      .filter((id, n, all) => id !== all[n - 1]), clips.map(({ id }) => id));
  }
});

test('a Riffusion clip of eight beats follows on its beat and repeats as a whole', () => {
  const eight = clip(1, 5.11, { beatS: 0.64 });
  near(Schedule.endOf(eight).endS, 5.12, 0.035);
  near(Schedule.loopStart(eight), 0, 1e-9);
});

test('the last bars of a long clip are repeated, and a late clip comes in at the next bar', () => {
  const long = clip(1, 20.3, { beatS: 0.5, firstS: 0.2 });
  near(Schedule.endOf(long).endS, 20.2, 1e-9);
  near(Schedule.loopStart(long), 12.2, 1e-9);
  let { schedule } = Schedule.fill(Schedule.empty(), [long], 0);
  for (let nowS = 0; nowS < 23; nowS += 0.5) ({ schedule } = Schedule.fill(schedule, [], nowS));
  assert.deepEqual(schedule.segments.map(({ repeat }) => repeat), [false, true]);
  const repeatedFromS = schedule.segments[1].startS;
  ({ schedule } = Schedule.fill(schedule, [clip(2, 8, { beatS: 0.5 })], 23));
  const [, repeat, fresh] = schedule.segments;
  assert.equal(fresh.clip.id, 2);
  near((fresh.startS - repeatedFromS) % 2, 0, 1e-6);
  assert.ok(fresh.startS >= 23 + Schedule.MARGIN_S && fresh.startS < 25.3);
  assert.equal(repeat.untilS, fresh.startS);
});

test('a seamless loop goes on as one sound, and a jump ends it at its next bar', () => {
  const loop = clip(1, 12, { beatS: 0.75, wraps: true });
  let { schedule } = Schedule.fill(Schedule.empty(), [loop], 0);
  for (let nowS = 0; nowS < 40; nowS += 1) ({ schedule } = Schedule.fill(schedule, [], nowS));
  assert.equal(schedule.segments.length, 1);
  near(Schedule.placeOf(schedule.segments[0], 38.1), 2, 1e-9);
  schedule = Schedule.cut(schedule, 40.2);
  near(schedule.segments[0].untilS, 0.1 + 42, 1e-9);
  assert.deepEqual(Schedule.fill(schedule, [clip(2, 12)], 40.2).schedule.segments.map((s) => s.clip.id), [1, 2]);
});

test('a repetition that has not begun gives way to a clip that is ready', () => {
  let { schedule } = Schedule.fill(Schedule.empty(), [clip(1, 4, { beatS: 0.5 })], 0);
  ({ schedule } = Schedule.fill(schedule, [], 2.5));
  assert.equal(schedule.segments.at(-1).repeat, true);
  ({ schedule } = Schedule.fill(schedule, [clip(2, 4, { beatS: 0.5 })], 3));
  assert.deepEqual(schedule.segments.map((s) => s.clip.id), [1, 2]);
});

test('what has passed is forgotten, so that hours take no memory', () => {
  let schedule = Schedule.empty();
  for (let n = 0; n < 2000; n += 1) ({ schedule } = Schedule.fill(schedule, n % 5 ? [] : [clip(n, 3.3, { beatS: 0.5 })], n));
  assert.ok(schedule.segments.length < 8);
});

test('columns show what sounds, then what is ready, then nothing', () => {
  const levels = (value, seconds) => new Uint8Array(seconds * COLUMNS_PER_S * BANDS).fill(value);
  const one = { ...clip(1, 2), levels: levels(10, 2) };
  const { schedule } = Schedule.fill(Schedule.empty(), [one], 0);
  const target = new Uint8Array(5 * COLUMNS_PER_S * BANDS).fill(99);
  fillColumns(target, schedule.segments.slice(0, 1), [{ ...clip(2, 1), levels: levels(20, 1) }], 0);
  const at = (seconds) => target[Math.round(seconds * COLUMNS_PER_S) * BANDS];
  assert.deepEqual([at(0.04), at(0.5), at(1.5), at(2.2), at(4)], [0, 10, 10, 20, 0]);
});

test('a tone stands in the band of its pitch, and a click in the column of its time', () => {
  const rate = 44100;
  const mel = (hz) => 2595 * Math.log10(1 + hz / 700);
  for (const hz of [220, 1000, 6000]) {
    const samples = Float32Array.from({ length: rate }, (_, n) => 0.3 * Math.sin((2 * Math.PI * hz * n) / rate));
    const levels = melLevels(samples, rate);
    assert.equal(levels.length, COLUMNS_PER_S * BANDS);
    const column = levels.subarray(25 * BANDS, 26 * BANDS);
    near(column.indexOf(Math.max(...column)), (mel(hz) / mel(10_000)) * (BANDS + 1) - 1, 1);
    assert.ok(Math.max(...column) > 230);
  }
  const click = new Float32Array(rate);
  click[Math.round(0.6 * rate)] = 1;
  const levels = melLevels(click, rate);
  const loudness = Array.from({ length: COLUMNS_PER_S }, (_, n) => levels.subarray(n * BANDS, (n + 1) * BANDS).reduce((a, b) => a + b));
  near(loudness.indexOf(Math.max(...loudness)), 30, 1);
  assert.equal(Math.max(...melLevels(new Float32Array(rate), rate)), 0);
});

test('an image in Riffusion’s form has its low notes at the bottom, mono or stereo', () => {
  for (const loud of [[0, 0, 0], [0, 2, 2]]) {
    const [width, height] = [100, 512];
    const quiet = loud[1] ? [0, 255, 255] : [255, 255, 255];
    const pixels = new Uint8ClampedArray(width * height * 4);
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) pixels.set([...(y >= 500 && x >= 50 ? loud : quiet), 255], 4 * (y * width + x));
    }
    const levels = imageLevels(pixels, width, height, 100);
    assert.equal(levels.length, 50 * BANDS);
    assert.ok(levels[40 * BANDS] > 240);
    assert.deepEqual([levels[40 * BANDS + 10], levels[10 * BANDS]], [0, 0]);
  }
});

test('the beat of drums is found exactly, and noise has none', () => {
  const rate = 44100;
  for (const bpm of [72, 93.75, 128]) {
    const beatS = 60 / bpm;
    const samples = new Float32Array(12 * rate);
    const draw = random(3);
    for (let beat = 0; 0.15 + beat * beatS < 11.9; beat += 1) {
      const from = Math.round((0.15 + beat * beatS) * rate);
      for (let n = 0; n < 0.08 * rate && from + n < samples.length; n += 1) samples[from + n] += (draw() - 0.5) * Math.exp(-n / 400);
    }
    const found = beatOf(melLevels(samples, rate), BANDS, COLUMNS_PER_S);
    near(found.beatS, beatS * Math.round(found.beatS / beatS), 0.002, `${bpm} BPM`);
    assert.ok(found.beatS < 2.1 * beatS); // every beat, or every second one
    near(found.firstS, 0.15 - 0.03, 0.035); // a window begins to see an onset before it comes
  }
  const draw = random(5);
  const noise = Float32Array.from({ length: 8 * rate }, () => draw() - 0.5);
  assert.equal(beatOf(melLevels(noise, rate), BANDS, COLUMNS_PER_S), null);
  assert.equal(beatOf(new Uint8Array(BANDS * 400), BANDS, COLUMNS_PER_S), null);
});

test('a landscape that is drawn slowly gets larger pixels, then is flat, and pauses are no frames', () => {
  const frames = (pace, ms, count = 48) => Array.from({ length: count }).reduce((now) => Pace.drawn(now, ms), pace);
  const quick = frames(Pace.UNKNOWN, 33);
  assert.deepEqual([quick.detail, quick.typicalMs], ['fine', 33]);
  const hidden = frames(Pace.drawn(frames(Pace.UNKNOWN, 33, 30), 60_000), 33, 47);
  assert.deepEqual([hidden.detail, hidden.typicalMs], ['fine', null]);
  const busy = Array.from({ length: 48 }, (_, n) => (n % 3 ? 33 : 400)).reduce(Pace.drawn, Pace.UNKNOWN);
  assert.equal(busy.detail, 'fine'); // a third of the frames came late: something else took the time
  const coarse = frames(quick, 90);
  assert.deepEqual([coarse.detail, coarse.typicalMs], ['coarse', 90]);
  assert.equal(frames(coarse, 33).detail, 'coarse');
  assert.deepEqual([frames(coarse, 70).detail, frames(frames(coarse, 70), 33).detail], ['flat', 'flat']);
});
