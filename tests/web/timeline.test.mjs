import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BANDS, levelsAt, measure, settle } from '../../lullwave/web/scene/band-levels.js';
import { pastPieces } from '../../lullwave/web/station/past-pieces.js';
import * as Time from '../../lullwave/web/player/timeline.js';

const RATE = 44_100;
const piece = (frame, title) => ({ kind: 'piece', frame, title });

test('a piece is shown when its first frame sounds, not when its event comes', () => {
  let timeline = Time.stamp(Time.emptyTimeline(RATE), piece(0, 'first'));
  timeline = Time.begin(Time.stamp(timeline, piece(10 * RATE, 'second')), 7 * RATE);
  const titleAt = (time) => Time.latest(timeline, 'piece', Time.heardFrame(timeline, time)).title;
  assert.equal(titleAt(2.9), 'first');
  assert.equal(titleAt(3), 'second');
});

test('without sound, or before the first frame is known, the frame on air counts', () => {
  const timeline = Time.advance(Time.emptyTimeline(RATE), 5 * RATE);
  assert.equal(Time.heardFrame(timeline, null), 5 * RATE);
  assert.equal(Time.heardFrame(timeline, 3), 5 * RATE);
  assert.equal(Time.heardFrame(Time.begin(timeline, RATE), 3), 4 * RATE);
  assert.equal(Time.lagS(timeline, 4 * RATE), 1);
});

test('a stream that tells its date is heard where that date was on air', () => {
  const hello = { rate: RATE, frame: 50 * RATE, wall: 1050, first_frame: null };
  const timeline = Time.greet(Time.emptyTimeline(RATE), hello);
  assert.equal(Time.heardFrame(timeline, 3, 1040), 43 * RATE);
  assert.equal(Time.lagS(timeline, Time.heardFrame(timeline, 3, 1040)), 7);
  assert.equal(Time.heardFrame(timeline, 3, null), 50 * RATE);
  assert.equal(Time.heardFrame(timeline, null, 1040), 50 * RATE);
  const withoutWall = Time.greet(timeline, { rate: RATE, frame: 50 * RATE, first_frame: 48 * RATE });
  assert.equal(Time.heardFrame(withoutWall, 1, 1040), 49 * RATE);
});

test('events may come twice and out of order', () => {
  let timeline = Time.emptyTimeline(RATE);
  for (const frame of [300, 100, 200, 100]) timeline = Time.stamp(timeline, piece(frame, String(frame)));
  assert.deepEqual(timeline.events.map((e) => e.frame), [100, 200, 300]);
  assert.equal(Time.latest(timeline, 'piece', 250).title, '200');
  assert.equal(Time.latest(timeline, 'steer', 250), null);
  assert.equal(Time.latest(timeline, 'piece', 99), null);
});

test('the timeline stays bounded and keeps the newest', () => {
  let timeline = Time.emptyTimeline(RATE);
  for (let frame = 0; frame < 500; frame += 1) timeline = Time.stamp(timeline, piece(frame, String(frame)));
  assert.equal(timeline.events.length, 64);
  assert.equal(timeline.events.at(-1).frame, 499);
});

const flat = (level) => new Array(BANDS).fill(level);

test('bands are read between the measurements around the heard frame', () => {
  const track = [0, 1000, 2000].reduce((all, frame) => measure(all, { frame, levels: flat(frame / 2000) }), []);
  assert.deepEqual(levelsAt(track, 1500, 5000), flat(0.75));
  assert.deepEqual(levelsAt(track, 2000, 5000), flat(1));
  assert.deepEqual(levelsAt(track, 2400, 500), flat(1));
  assert.deepEqual(levelsAt(track, 2501, 500), flat(0));
  assert.deepEqual(levelsAt([], 0, 500), flat(0));
  assert.deepEqual(levelsAt(track, -1, 500), flat(0));
});

test('a station that begins again begins a new track', () => {
  const old = measure([], { frame: 9000, levels: flat(1) });
  assert.deepEqual(measure(old, { frame: 10, levels: flat(0.5) }).map((m) => m.frame), [10]);
});

test('meters rise at once and sink slowly', () => {
  assert.deepEqual(settle(flat(0), flat(0.8), 0.1), flat(0.8));
  assert.ok(Math.abs(settle(flat(1), flat(0), 0.1, 2)[3] - 0.8) < 1e-12);
});

test('an event stream that opens again keeps what was stamped, unless the station began anew', () => {
  const before = Time.stamp(Time.emptyTimeline(RATE), piece(900, 'old'));
  const goesOn = Time.greet(before, { rate: RATE, frame: 1000, first_frame: 800 });
  assert.equal(Time.latest(goesOn, 'piece', 950).title, 'old');
  assert.equal(goesOn.first, 800);
  const anew = Time.greet(before, { rate: RATE, frame: 10, first_frame: null });
  assert.equal(Time.oldest(anew, 'piece'), null);
  assert.equal(anew.live, 10);
});

test('the share of a piece that was heard stays between nothing and all', () => {
  const long = { frame: 100, frames: 200 };
  assert.equal(Time.share(long, 50), 0);
  assert.equal(Time.share(long, 200), 0.5);
  assert.equal(Time.share(long, 900), 1);
  assert.equal(Time.share({ frame: 0 }, 5), null);
  assert.equal(Time.share(null, 5), null);
});

test('the past is what was heard before, newest first, as long as it was heard', () => {
  const entry = (run, second, wall, more) => ({ kind: 'piece', run, frame: second * RATE, wall, title: `${run}/${second}`, ...more });
  const history = [
    entry(2, 90, 1090), // on air, not heard yet
    entry(2, 60, 1060), // heard now
    { kind: 'steer', run: 2, frame: 50 * RATE, wall: 1050 },
    entry(2, 0, 1000, { frames: 60.9 * RATE }),
    entry(1, 40, 900, { frames: 20 * RATE }),
    entry(1, 0, null),
    entry(1, 0, 100),
  ];
  const past = pastPieces(history, RATE, 70 * RATE, 9);
  assert.deepEqual(past.map((p) => [p.title, p.seconds]), [['2/0', 60], ['1/40', 20], ['1/0', 300]]);
  assert.equal(pastPieces(history, RATE, 95 * RATE, 9)[0].title, '2/60');
  assert.equal(pastPieces(history, RATE, 70 * RATE, 1).length, 1);
  assert.deepEqual(pastPieces([], RATE, 0, 9), []);
});
