import assert from 'node:assert/strict';
import { test } from 'node:test';

import { heard, learnt, NOTHING } from '../../lullwave/web/landscape/heard-scenery.js';
import { coloursOf, layersHeard, paintLive, paintStill, PLAIN, sceneryOf, SILENT } from '../../lullwave/web/landscape/landscape.js';
import { paintPicture } from '../../lullwave/web/landscape/picture.js';
import { PLACES } from '../../lullwave/web/landscape/places.js';
import { DAY, EVENING, NIGHT } from '../../lullwave/web/scene/scene-palette.js';
import { raster } from '../../tools/make_share_pictures.mjs';

const [WIDTH, GROUND] = [290, 104];
const NAMES = Object.keys(PLACES);

/** The live part of a picture as pixels. */
function painted(place, { levels = [], layers = SILENT, nowS = 0, colours = NIGHT } = {}) {
  const { rgb, rect } = raster(WIDTH, GROUND);
  const view = { width: WIDTH, ground: GROUND, centre: WIDTH / 2, colours, levels, nowS };
  paintStill(rect, view, { ...PLAIN, place });
  paintLive(rect, view, { ...PLAIN, place }, layers);
  return rgb;
}

/** The columns in which two pictures differ. */
function changedColumns(one, other) {
  const found = new Set();
  for (let i = 0; i < one.length; i += 1) if (one[i] !== other[i]) found.add(Math.floor(i / 3) % WIDTH);
  return [...found].sort((a, b) => a - b);
}

test('every place paints every pixel with colours that its palette has, at every time of day', () => {
  for (const place of NAMES) {
    for (const colours of [DAY, EVENING, NIGHT]) {
      const bare = new Uint8Array(WIDTH * GROUND);
      const view = { width: WIDTH, ground: GROUND, centre: WIDTH / 2, colours, levels: new Array(16).fill(1), nowS: 1 };
      const rect = (colour, x, y, w, h, alpha = 1) => {
        assert.equal(typeof colour, 'string', place);
        for (const number of [x, y, w, h]) assert.ok(Number.isInteger(number), `${place}: ${number}`);
        assert.ok(alpha >= 0 && alpha <= 1, `${place}: ${alpha}`);
        for (let j = Math.max(0, y); j < Math.min(GROUND, y + h); j += 1) bare.fill(1, j * WIDTH + Math.max(0, x), j * WIDTH + Math.min(WIDTH, x + w));
      };
      paintStill(rect, view, { ...PLAIN, place });
      assert.ok(bare.every((pixel) => pixel === 1), `${place} leaves pixels bare`);
      paintLive(rect, view, { ...PLAIN, place }, { rain: 1, fire: 1, waves: 1, night: 1 });
    }
  }
});

test('in every place, each band of the music moves something near its own column', () => {
  for (const place of NAMES) {
    const still = painted(place, { levels: new Array(16).fill(0) });
    for (const band of [0, 5, 10, 15]) {
      const columns = changedColumns(still, painted(place, { levels: Object.assign(new Array(16).fill(0), { [band]: 1 }) }));
      assert.ok(columns.length > 0, `${place}, band ${band}`);
      if (place === 'road') continue; // its lamps stand nearer and nearer, not side by side
      const middle = 20 + ((band + 0.5) * (WIDTH - 40)) / 16;
      assert.ok(columns[0] > middle - 40 && columns.at(-1) < middle + 40, `${place}, band ${band}: ${columns[0]} to ${columns.at(-1)}`);
    }
  }
});

test('rain, waves and crickets that are heard are seen, and nothing else changes without a sound', () => {
  for (const place of NAMES) {
    const silent = painted(place);
    assert.deepEqual(painted(place, { layers: { ...SILENT, fire: 1 } }), silent); // the fire is in the room
    for (const sound of ['rain', 'waves', 'night']) {
      const changed = changedColumns(silent, painted(place, { layers: { ...SILENT, [sound]: 0.5 }, nowS: 0 }));
      if (place === 'beach' && sound === 'waves') assert.deepEqual(changed, []); // it has its own
      else assert.ok(changed.length > 20, `${place}, ${sound}`);
    }
  }
});

test('what the listener and the music let hear is shown, the music’s only while it plays', () => {
  const rainy = { ...PLAIN, sounds: ['rain', 'cafe'] };
  assert.deepEqual(layersHeard(SILENT, rainy, false), SILENT);
  assert.deepEqual(layersHeard(SILENT, rainy, true), { ...SILENT, rain: 0.5 });
  assert.deepEqual(layersHeard({ ...SILENT, rain: 0.9, fire: 0.2 }, rainy, true), { ...SILENT, rain: 0.9, fire: 0.2 });
});

test('the time of day chooses the colours; without one, the page does', () => {
  assert.equal(coloursOf('day', true), DAY);
  assert.equal(coloursOf('night', false), NIGHT);
  assert.equal(coloursOf('evening', false), EVENING);
  assert.equal(coloursOf(null, true), NIGHT);
  assert.equal(coloursOf(null, false), DAY);
});

test('pictures of different places, times and weathers differ, and the same are the same', () => {
  const picture = (scenery) => {
    const { rgb, rect } = raster(96, 72);
    paintPicture(rect, 96, 72, { ...PLAIN, ...scenery }, true);
    return Buffer.from(rgb).toString('base64');
  };
  const all = NAMES.flatMap((place) => [{ place }, { place, time: 'day' }, { place, sounds: ['rain'] }]).map(picture);
  assert.equal(new Set(all).size, all.length);
  assert.equal(picture({ place: 'forest' }), picture({ place: 'forest' }));
});

test('the scenery changes when the prompt is heard, not when it is asked for', () => {
  const night = { place: 'road', time: 'night', sounds: [], mood: 'calm' };
  const rain = { place: 'forest', time: null, sounds: ['rain'], mood: 'sleepy' };
  const first = { id: 'a', prompt: 'synthwave', scene: night };
  let state = heard(learnt(NOTHING, [first]), first, 'synthwave');
  assert.deepEqual(state.shown, night);
  const asked = { id: 'a', prompt: 'rainy folk', scene: rain };
  state = heard(learnt(state, [asked]), asked, 'synthwave'); // still heard
  assert.deepEqual(state.shown, night);
  state = heard(state, asked, 'rainy folk');
  assert.deepEqual(state.shown, rain);
  state = heard(state, asked, 'something not told yet');
  assert.deepEqual(state.shown, rain);
  const other = { id: 'b', prompt: 'x', scene: night };
  assert.deepEqual(heard(state, other, 'not told yet').shown, night);
  assert.equal(heard(state, undefined, 'x'), state);
});

test('a scenery that this page does not know is the plain one', () => {
  assert.equal(sceneryOf(undefined), PLAIN);
  assert.equal(sceneryOf({ place: 'moon base' }), PLAIN);
  assert.deepEqual(sceneryOf({ place: 'beach' }), { ...PLAIN, place: 'beach' });
});
