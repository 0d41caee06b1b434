import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { hzOf, melOf, Spectrum } from '../../lullwave/web/shared/fft.js';
import { spectrogram, waveform } from '../../lullwave/web/shared/spectrogram-view.js';
import { languageOf, LANGUAGES, translator } from '../../lullwave/web/shared/strings.js';
import german from '../../lullwave/web/strings/de.js';
import english from '../../lullwave/web/strings/en.js';
import * as Jobs from '../../lullwave/web/studio/job-state.js';
import { matchedGains } from '../../lullwave/web/studio/level-match.js';
import { hzRow, levelsOf, Painting, pixelsOf, rowHz, ROWS } from '../../lullwave/web/studio/paint/painting.js';
import { changedFields, curlLine, fileName, jsonOf, jsonParsed } from '../../lullwave/web/studio/repeat-lines.js';
import { amount, lasting, modelFacts, modelState } from '../../lullwave/web/studio/wording.js';

const WEB = new URL('../../lullwave/web/', import.meta.url);
const BRUSH = { tool: 'brush', size: 6, strength: 1, overtones: 0 };

test('the spectrum of a sine has its peak at its bin, and agrees with the sum that defines it', () => {
  const size = 64;
  const samples = Float32Array.from({ length: size }, (_, n) => Math.sin((2 * Math.PI * 5 * n) / size) + 0.3 * Math.cos((2 * Math.PI * 13 * n) / size));
  const found = Spectrum(size)(samples, 0);
  for (let k = 0; k < size / 2; k += 1) {
    let [re, im] = [0, 0];
    for (let n = 0; n < size; n += 1) {
      const value = samples[n] * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size));
      re += value * Math.cos((2 * Math.PI * k * n) / size);
      im -= value * Math.sin((2 * Math.PI * k * n) / size);
    }
    assert.ok(Math.abs(found[k] - Math.hypot(re, im)) < 1e-4, `bin ${k}`);
  }
  assert.equal(found.indexOf(Math.max(...found)), 5);
  assert.ok(Math.abs(hzOf(melOf(440)) - 440) < 1e-9);
});

test('a drawing shows a tone in the row of its frequency, and the extremes of each column', () => {
  const rate = 44_100;
  const tone = Float32Array.from({ length: rate }, (_, n) => 0.5 * Math.sin((2 * Math.PI * 1000 * n) / rate));
  const shades = spectrogram(tone, rate, 20, 64);
  for (let column = 2; column < 18; column += 1) {
    const rows = Array.from({ length: 64 }, (_, row) => shades[row * 20 + column]);
    const loudest = rows.indexOf(Math.max(...rows));
    assert.ok(Math.abs(loudest - (64 - (melOf(1000) / melOf(10_000)) * 64)) <= 1.5);
  }
  const { low, high } = waveform(Float32Array.of(0, 1, -1, 0.5, 0.25, -0.25), 3);
  assert.deepEqual([[...low], [...high]], [[0, -1, -0.25], [1, 0.5, 0.25]]);
});

test('a stroke is painted without gaps, with overtones at multiples of its frequency', () => {
  const painting = Painting(200);
  painting.begin();
  painting.stroke(10, hzRow(500), 190, hzRow(500), { ...BRUSH, overtones: 2 });
  painting.end();
  for (let x = 12; x < 188; x += 1) for (const hz of [500, 1000, 1500]) assert.ok(painting.levels[hzRow(hz) * 200 + x] > 0, `${hz} Hz at ${x}`);
  assert.ok(painting.levels[hzRow(500) * 200 + 100] > painting.levels[hzRow(1000) * 200 + 100]);
  assert.equal(painting.levels[hzRow(4000) * 200 + 100], 0);
  for (const hz of [100, 1000, 9000]) assert.ok(Math.abs(rowHz(hzRow(hz)) / hz - 1) < 0.05);
  painting.stroke(-50, -50, 500, ROWS + 50, BRUSH); // outside is no error
});

test('the eraser takes away, a band is cut or kept, and every step is undone and done again', () => {
  const painting = Painting(64);
  const step = (change) => {
    painting.begin();
    change();
    painting.end();
    return painting.levels.slice();
  };
  const states = [painting.levels.slice()];
  states.push(step(() => painting.stroke(0, 100, 63, 100, BRUSH)));
  states.push(step(() => painting.stroke(0, 300, 63, 300, BRUSH)));
  states.push(step(() => painting.stroke(0, 100, 20, 100, { ...BRUSH, tool: 'eraser', size: 20 })));
  assert.equal(painting.levels[100 * 64 + 10], 0);
  assert.ok(painting.levels[100 * 64 + 50] > 0);
  states.push(step(() => painting.band(90, 110, false)));
  assert.equal(painting.levels[100 * 64 + 50], 0);
  assert.ok(painting.levels[300 * 64 + 50] > 0);
  painting.undo();
  states.push(step(() => painting.band(110, 90, true)));
  assert.equal(painting.levels[300 * 64 + 50], 0);
  assert.ok(painting.levels[100 * 64 + 50] > 0);
  assert.equal(painting.canRedo, false); // a new step forgets what was undone
  for (const state of [states[3], states[2], states[1], states[0]]) {
    painting.undo();
    assert.deepEqual(painting.levels, state);
  }
  assert.equal(painting.canUndo, false);
  painting.undo();
  painting.redo();
  assert.deepEqual(painting.levels, states[1]);
  step(() => {}); // nothing changed: no step
  painting.undo();
  assert.deepEqual(painting.levels, states[0]);
  assert.equal(painting.isEmpty, true);
});

test('levels become the pixels of Riffusion and back', () => {
  const levels = Uint8Array.of(0, 1, 128, 255);
  assert.deepEqual([...pixelsOf(levels).slice(0, 8)], [255, 255, 255, 255, 254, 254, 254, 255]);
  assert.deepEqual(levelsOf(pixelsOf(levels)), levels);
});

test('the louder sound is turned down to the other', () => {
  const [a, b] = matchedGains(-14, -20);
  assert.ok(Math.abs(20 * Math.log10(a) + 6) < 1e-9);
  assert.equal(b, 1);
  assert.deepEqual(matchedGains(-14, -20, false), [1, 1]);
  assert.deepEqual(matchedGains(null, -20), [1, 1]);
});

const job = (state, more = {}) => ({ id: state, task: 'text', fields: {}, state, results: [], ...more });

test('the page asks again only while something is made, soon at first', () => {
  assert.equal(Jobs.pollMs([job('done'), job('failed')], 0), null);
  const active = [job('done'), job('waiting')];
  assert.ok(Jobs.pollMs(active, 0) < Jobs.pollMs(active, 100));
  assert.deepEqual(Jobs.endedSince([job('working', { id: '1' }), job('done')], [job('done', { id: '1' })]).map(({ id }) => id), ['1']);
  assert.deepEqual([job('failed'), job('cancelled'), job('done')].map(Jobs.canRetry), [true, true, false]);
});

test('a job is called by its words, its file or its task', () => {
  const title = (more) => Jobs.titleOf(job('done', more), (task) => `<${task}>`);
  assert.equal(title({ fields: { prompt: 'rain' } }), 'rain');
  assert.equal(title({ fields: { start: 'a', end: 'b' } }), 'a → b');
  assert.equal(title({ task: 'stems', fields: { audio: 'xyz/mix.wav' } }), '<stems>: mix.wav');
  assert.equal(title({ task: 'upload', results: [{ name: 'loop.png' }] }), 'loop.png');
  assert.equal(title({ task: 'moment', facts: { title: 'Blue Tape' } }), 'Blue Tape');
  assert.equal(title({}), '<text>');
  const results = [{ name: 'a.wav', kind: 'audio' }, { name: 'a.png', kind: 'image' }];
  assert.deepEqual(Jobs.filesOf([job('done', { results })], 'image').map(({ value }) => value), ['done/a.png']);
});

test('a job is JSON with seeds of any size, there and back, and a line for a shell', () => {
  const fields = { prompt: 'it\'s "12345678901234567890"', seed: 9223372036854775807n, options: { drums: false, list: [1, null] }, left: undefined };
  const json = jsonOf(fields);
  assert.equal(json, '{"prompt": "it\'s \\"12345678901234567890\\"", "seed": 9223372036854775807, "options": {"drums": false, "list": [1, null]}}');
  const { left, ...said } = fields;
  assert.deepEqual(jsonParsed(json), said);
  assert.deepEqual(jsonParsed('{"a": 1.2345678901234567, "b": -7, "c": 9007199254740991}'), { a: 1.2345678901234567, b: -7, c: 9007199254740991 });
  const base = 'http://host/radio/studio';
  const clip = curlLine({ base, task: 'text', fields: { prompt: "it's", image: false }, file: 'a.mp3', withToken: false });
  assert.equal(clip, `curl -fsS 'http://host/radio/api/generate' \\
  -H 'Content-Type: application/json' \\
  -d '{"prompt": "it'\\''s"}' \\
  -o 'a.mp3'`);
  const stems = curlLine({ base, task: 'text', fields: { stems: true }, file: 'a.mp3', withToken: true });
  assert.match(stems, /api\/jobs' \\\n {2}-H "Authorization: Bearer \$LULLWAVE_TOKEN"/);
  assert.match(stems, /-d '\{"task": "text", "fields": \{"stems": true\}\}'$/);
});

test('only what differs from the defaults is told', () => {
  const schema = { properties: { prompt: { default: '' }, seed: { default: null }, kbps: { default: 192 } } };
  assert.deepEqual(changedFields({ prompt: 'x', seed: null, kbps: 192, options: {} }, schema), { prompt: 'x' });
  assert.deepEqual(changedFields({ prompt: '', seed: 3, kbps: 64, options: { hz: 3 } }, schema), { seed: 3, kbps: 64, options: { hz: 3 } });
});

test('a file is named by its words and its seed', () => {
  const name = (title, seed = 7) => fileName({ title, seed, name: 'clip.opus' });
  assert.equal(name('Rainy Night, (piano:1.3)'), 'lullwave-rainy-night-piano-1-3-7-clip.opus');
  assert.equal(name('café ../../etc', null), 'lullwave-cafe-etc-clip.opus');
  assert.equal(name('雨 の夜'), 'lullwave-雨-の夜-7-clip.opus');
  assert.ok(name('very '.repeat(100)).length < 70);
  const t = translator(english);
  assert.deepEqual([amount(0, t), amount(900, t), amount(2_500_000, t), lasting(3.21, t), lasting(59.6, t), lasting(119.7, t)], ['0 kB', '1 kB', '2.5 MB', '3.2 s', '1 min 0 s', '2 min 0 s']);
  assert.deepEqual([amount(2_500_000, translator(german)), lasting(3.21, translator(german))], ['2,5 MB', '3,2 s']);
});

test('a language has its words by key, with the values in their places', () => {
  const t = translator({ hello: 'Hallo {name}', bye: 'Bye {missing}', 'n.one': 'eins', 'n.many': '{n}', 'language.code': 'de' });
  assert.deepEqual([t('hello', { name: '$&' }), t('bye'), t('nothing'), t.count('n', 1), t.count('n', 3000), t.or('nothing', 'else')], ['Hallo $&', 'Bye {missing}', 'nothing', 'eins', '3.000', 'else']);
  assert.deepEqual([languageOf(['fr', 'de-AT', 'en']), languageOf([])], ['de', 'en']);
});

/** The text of every page and script but the strings. */
function sources() {
  const files = readdirSync(WEB, { recursive: true }).filter((name) => /\.(js|html)$/.test(name) && !name.startsWith('strings'));
  return files.map((name) => readFileSync(new URL(name.replaceAll('\\', '/'), WEB), 'utf8')).join('\n');
}

test('every word that the pages ask for is there, in every language, with the same places for values', () => {
  const text = sources();
  const groups = new Set(Object.keys(english).map((key) => key.split('.')[0]));
  const asked = [...text.matchAll(/data-t(?:-label|-placeholder)?="([\w.-]+)"|'([a-z]+\.[a-z][\w-]*(?:\.\w+)?)'/g)].map(([, a, b]) => a ?? b);
  const keys = asked.filter((key) => groups.has(key.split('.')[0]));
  assert.ok(keys.length > 300);
  assert.deepEqual(keys.filter((key) => !(key in english) && !(`${key}.many` in english)), []);
  const composed = [...text.matchAll(/`([a-z]+\.[\w-]*)\$\{/g)].map(([, start]) => start);
  const known = new Set(keys.flatMap((key) => [key, `${key}-on`, `${key}.one`, `${key}.many`]));
  const unused = Object.keys(english).filter((key) => !known.has(key) && !composed.some((start) => key.startsWith(start)));
  assert.deepEqual(unused, []);
  assert.deepEqual(Object.keys(LANGUAGES), ['en', 'de']);
  const places = (words) => (words.match(/\{\w+\}/g) ?? []).sort();
  for (const [key, words] of Object.entries(english)) {
    assert.ok(key in german, `${key} in German`);
    assert.deepEqual(places(german[key]), places(words), key);
  }
});

test('a model is told with its sizes, sound and speed, and whether it fits, in both languages', () => {
  const model = { installed: true, fits: true, disk_gb: 2.4, memory_gb: 0.9, rate: 32000, channels: 1, speed: 0.95, device: 'cpu' };
  const said = modelFacts(model, translator(english));
  assert.equal(said, '2.4 GB on disk, 0.9 GB in memory, 32 kHz mono; about 0.95 times real time expected here (cpu).');
  assert.match(modelFacts({ ...model, channels: 2, rate: 44100 }, translator(german)), /44\.1 kHz stereo/);
  assert.deepEqual([modelState(model), modelState({ ...model, installed: false }), modelState({ ...model, fits: false })], ['here', 'fits', 'too-large']);
  for (const state of ['here', 'fits', 'too-large']) for (const words of [english, german]) assert.ok(`models.${state}` in words);
});
