import assert from 'node:assert/strict';
import { test } from 'node:test';

import { generator, LAYERS, renderLayer } from '../../lullwave/web/ambience/ambience-sound.js';
import { AWAKE_CAT, SLEEPING, TABBY, TUXEDO } from '../../lullwave/web/scene/cat-sprites.js';
import { mirrored, overlay, runs } from '../../lullwave/web/scene/pixel-sprites.js';
import * as Room from '../../lullwave/web/scene/room-sprites.js';
import { DAY, NIGHT, THINGS } from '../../lullwave/web/scene/scene-palette.js';
import { towers, windows } from '../../lullwave/web/scene/skyline.js';

const RATE = 8_000;

for (const layer of Object.keys(LAYERS)) {
  test(`${layer} is level stereo without a seam, the same from the same seed`, () => {
    const [left, right] = renderLayer(layer, 3, RATE);
    assert.equal(left.length, LAYERS[layer] * RATE);
    assert.notDeepEqual(left.slice(0, 100), right.slice(0, 100));
    assert.deepEqual(renderLayer(layer, 3, RATE)[0].slice(0, 2000), left.slice(0, 2000));
    const power = left.reduce((sum, x) => sum + x * x, 0) + right.reduce((sum, x) => sum + x * x, 0);
    const rms = Math.sqrt(power / (2 * left.length));
    assert.ok(rms > 0.05 && rms < 0.1001, String(rms));
    for (const side of [left, right]) assert.ok(side.every((x) => Math.abs(x) < 0.801));

    const steps = left.slice(1).map((x, i) => Math.abs(x - left[i]));
    const usual = steps.toSorted()[Math.floor(steps.length * 0.999)];
    assert.ok(Math.abs(left[0] - left.at(-1)) <= usual, 'the step from end to beginning is an ordinary one');
  });
}

test('the generator of chance is even and repeats by its seed', () => {
  const chance = generator(5);
  const drawn = Array.from({ length: 20_000 }, chance);
  assert.ok(Math.abs(drawn.reduce((a, b) => a + b) / drawn.length - 0.5) < 0.01);
  assert.ok(drawn.every((x) => x >= 0 && x < 1));
  assert.equal(generator(5)(), drawn[0]);
});

const isPicture = (rows, palette) => {
  assert.ok(rows.every((row) => row.length === rows[0].length), rows.map((r) => r.length).join());
  for (const { letter } of runs(rows)) assert.ok(letter in palette, letter);
};

test('every picture is a rectangle in the colours of its palette', () => {
  for (const rows of SLEEPING) isPicture(rows, TABBY);
  for (const rows of Object.values(AWAKE_CAT)) isPicture(rows, TUXEDO);
  for (const name of ['PLANT', 'RADIO', 'MUG', 'BOOKS', 'NOTE']) isPicture(Room[name], THINGS);
  isPicture(Room.CLOUD, { c: '' });
  assert.deepEqual(Object.keys(DAY), Object.keys(NIGHT));
});

test('pictures are mirrored and laid over one another', () => {
  assert.deepEqual(mirrored(['ab.']), ['ab..ba']);
  assert.deepEqual(overlay(['aaa', 'aaa'], ['b.b'], 0, 1), ['aaa', 'bab']);
  assert.deepEqual(runs(['aab.b']), [
    { x: 0, y: 0, width: 2, letter: 'a' },
    { x: 2, y: 0, width: 1, letter: 'b' },
    { x: 4, y: 0, width: 1, letter: 'b' },
  ]);
});

for (const width of [160, 240, 330]) {
  test(`sixteen towers stand side by side in ${width} pixels and light up with their band`, () => {
    const city = towers(20, width - 20, 100);
    assert.equal(city.length, 16);
    for (const [index, tower] of city.entries()) {
      assert.ok(tower.x >= 20 && tower.x + tower.width <= width - 20);
      if (index) assert.ok(tower.x >= city[index - 1].x + city[index - 1].width);
      const lit = (level) => windows(tower, 100, level).filter((w) => w.light === 'lit' || w.light === 'peak').length;
      assert.equal(lit(0), 0);
      assert.equal(lit(1), tower.storeys * tower.columns.length);
      assert.ok(lit(0.5) > 0 && lit(0.5) < lit(1));
      for (const w of windows(tower, 100, 1)) assert.ok(w.x >= tower.x && w.x + w.width <= tower.x + tower.width && w.y >= tower.y);
    }
  });
}
