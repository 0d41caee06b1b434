import assert from 'node:assert/strict';
import { test } from 'node:test';

import { curlLine, fileName, freshSeed, jsonOf } from '../../lullwave/web/make/clip-request.js';
import * as Words from '../../lullwave/web/make/clip-wording.js';
import { MadeSoFar } from '../../lullwave/web/make/made-so-far.js';
import { fieldsOf, valueOf } from '../../lullwave/web/make/option-fields.js';

const SCHEMA = {
  properties: {
    tempo_bpm: { anyOf: [{ type: 'number', minimum: 50, maximum: 140 }, { type: 'null' }], default: null, description: 'beats; nothing: any' },
    top_k: { type: 'integer', minimum: 0, maximum: 2048, default: 250, description: 'how many' },
    share: { type: 'number', minimum: 0, maximum: 1, default: 0.75 },
    hz: { type: 'number', minimum: 20, default: 220, description: 'the tone', unit: 'Hz' },
    drums: { type: 'boolean', default: true },
    brushes: { anyOf: [{ type: 'boolean' }, { type: 'null' }], default: null },
    around: { type: 'string', enum: ['prompt', 'rain'], default: 'prompt' },
    voices: { anyOf: [{ type: 'integer' }, { type: 'null' }], enum: [1, 2, 4], default: null },
    image: { type: 'string', maxLength: 100, default: 'og_beat' },
    key: { anyOf: [{ type: 'string', maxLength: 20 }, { type: 'null' }], default: null },
    seed: { anyOf: [{ type: 'integer', minimum: 0, maximum: 2 ** 63 }, { type: 'null' }], default: null },
    options: { type: 'object' },
  },
};
const FIELDS = Object.fromEntries(fieldsOf(SCHEMA).map((field) => [field.name, field]));

test('every property that a form can show becomes a field of its kind, in order', () => {
  const kinds = Object.entries(FIELDS).map(([name, { kind }]) => [name, kind]);
  assert.deepEqual(kinds, [
    ['tempo_bpm', 'number'],
    ['top_k', 'integer'],
    ['share', 'number'],
    ['hz', 'number'],
    ['drums', 'boolean'],
    ['brushes', 'boolean'],
    ['around', 'choice'],
    ['voices', 'choice'],
    ['image', 'text'],
    ['key', 'text'],
    ['seed', 'integer'],
  ]);
});

test('range, default, unit and words come from the schema', () => {
  const { tempo_bpm: tempo, top_k: topK, share, hz, seed, image, drums } = FIELDS;
  assert.deepEqual([tempo.low, tempo.high, tempo.unset, tempo.optional], [50, 140, null, true]);
  assert.equal(tempo.label, 'Tempo in BPM');
  assert.equal(tempo.help, 'Beats; nothing: any. 50 to 140.');
  assert.deepEqual([topK.step, topK.unset, topK.optional, topK.label], ['1', 250, false, 'Top k']);
  assert.deepEqual([share.step, hz.step], ['0.01', 'any']);
  assert.deepEqual([hz.label, hz.help], ['Hz in Hz', 'The tone. 20 or more.']);
  assert.equal(seed.help, '0 or more.');
  assert.deepEqual([image.maxLength, image.unset, drums.unset], [100, 'og_beat', true]);
  const [length] = fieldsOf(
    { properties: { duration_s: { type: 'number', minimum: 1, maximum: 60, default: 30, description: 'length in seconds' } } },
    { duration_s: { label: 'Length in seconds', placeholder: 'any' } },
  );
  assert.deepEqual([length.label, length.help, length.placeholder], ['Length in seconds', '1 to 60.', 'any']);
  assert.deepEqual(fieldsOf({}), []);
});

test('only what was changed has a value', () => {
  const said = (name, raw) => valueOf(FIELDS[name], raw);
  for (const [name, raw] of [
    ['tempo_bpm', ''],
    ['top_k', '250'],
    ['top_k', ''],
    ['share', '0.750'],
    ['drums', true],
    ['brushes', ''],
    ['around', 'prompt'],
    ['voices', ''],
    ['image', 'og_beat'],
    ['key', ''],
  ]) {
    assert.equal(said(name, raw), undefined, name);
  }
  assert.equal(said('tempo_bpm', '82.5'), 82.5);
  assert.equal(said('top_k', '0'), 0);
  assert.equal(said('drums', false), false);
  assert.equal(said('brushes', 'false'), false);
  assert.equal(said('around', 'rain'), 'rain');
  assert.equal(said('voices', '4'), 4);
  assert.equal(said('image', ''), '');
  assert.equal(said('key', 'D minor'), 'D minor');
  assert.equal(said('tempo_bpm', '999'), 999); // the server says what it thinks of that
  assert.equal(said('top_k', 'many'), 'many');
  assert.equal(said('seed', '9223372036854775807'), 9223372036854775807n);
});

test('a request is JSON with seeds of any size, and a line for a shell', () => {
  const request = { prompt: 'it\'s "late"', seed: 9223372036854775807n, duration_s: 2.5, options: { drums: false, key: null }, format: undefined };
  const json = jsonOf(request);
  assert.equal(json, '{"prompt": "it\'s \\"late\\"", "seed": 9223372036854775807, "duration_s": 2.5, "options": {"drums": false, "key": null}}');
  const line = curlLine('http://host/radio/api/generate', '{"prompt": "it\'s"}', 'a.mp3', false);
  assert.equal(line, `curl -fsS 'http://host/radio/api/generate' \\
  -H 'Content-Type: application/json' \\
  -d '{"prompt": "it'\\''s"}' \\
  -o 'a.mp3'`);
  assert.match(curlLine('u', '{}', 'f', true), /-H "Authorization: Bearer \$LULLWAVE_TOKEN"/);
  assert.equal(freshSeed((numbers) => numbers.fill(7)), 7);
});

test('a file is named by its words and its seed', () => {
  const name = (prompt) => fileName({ prompt, seed: 7, format: 'opus' });
  assert.equal(name('Rainy Night, (piano:1.3)'), 'lullwave-rainy-night-piano-1-3-7.opus');
  assert.equal(name('café ../../etc'), 'lullwave-cafe-etc-7.opus');
  assert.equal(name('雨 の夜'), 'lullwave-雨-の夜-7.opus');
  assert.equal(name(''), 'lullwave-7.opus');
  assert.ok(name('very '.repeat(100)).length < 60);
});

function oggPage(serial, frames, body = 20) {
  const page = new Uint8Array(27 + body);
  page.set([...'OggS'].map((c) => c.charCodeAt(0)));
  new DataView(page.buffer).setBigInt64(6, BigInt(frames), true);
  return page;
}

test('the share of a clip is read from its bytes, however they are cut', () => {
  const wav = new Uint8Array(1000);
  wav.set([...'RIFF'].map((c) => c.charCodeAt(0)));
  new DataView(wav.buffer).setUint32(4, 992, true);
  const mp3 = new Uint8Array(1000);
  mp3.set([...'Info'].map((c) => c.charCodeAt(0)), 36);
  new DataView(mp3.buffer).setUint32(40, 15);
  new DataView(mp3.buffer).setUint32(48, 1000);
  const id3 = new Uint8Array(300); // a tag of 290 bytes after its header: 2 x 128 + 34
  id3.set([73, 68, 51, 4, 0, 0, 0, 0, 2, 34]);
  const tagged = new Uint8Array([...id3, ...mp3]);
  const opus = new Uint8Array([...oggPage(1, 0), ...oggPage(1, 48_000), ...oggPage(1, -1), ...oggPage(1, 96_000)]);
  for (const size of [1, 7, 64, 250]) {
    const after = (format, bytes, count, durationS) => {
      const made = MadeSoFar(format, durationS);
      for (let at = 0; at < count; at += size) made.add(bytes.subarray(at, Math.min(count, at + size)));
      assert.equal(made.received, count);
      return made.share;
    };
    assert.equal(after('wav', wav, 250, 4), 0.25);
    assert.equal(after('mp3', mp3, 500, 4), 0.5);
    assert.equal(after('mp3', tagged, 300, 4), null);
    assert.equal(after('mp3', tagged, 650, 4), 0.5);
    assert.equal(after('mp3', tagged, 1300, 4), 1);
    assert.equal(after('opus', opus, 100, 4), 0.25);
    assert.equal(after('opus', opus, opus.length, 4), 0.5);
    assert.equal(after('flac', wav, 1000, 4), null);
    assert.equal(after('wav', wav, 0, 4), null);
  }
});

test('words for what is made, and for what is not', () => {
  const made = { bytes: 0, share: null, elapsedS: 3.2, soundingS: 0, durationS: 60 };
  assert.match(Words.progressWords(made), /no sound yet after 3 s/i);
  assert.match(Words.progressWords({ ...made, bytes: 5e5 }), /^500 kB in 3 s\. This format/);
  assert.equal(
    Words.progressWords({ ...made, bytes: 2e5, share: 0.25, soundingS: 2 }),
    '15 of 60 s of music in 3 s (200 kB), about 6 s left.',
  );
  assert.equal(Words.progressWords({ ...made, bytes: 1e3, share: 0.01 }), '0 of 60 s of music in 3 s (1 kB).');
  assert.equal(Words.lasting(119.7), '2 min 0 s');
  assert.match(Words.refusalWords({ status: 429, message: 'many wait', retryAfterS: 10 }), /^Many wait\. Try again in about 10 s\.$/);
  assert.match(Words.refusalWords({ status: 0, message: '' }), /cannot be reached/);
  const wantsToken = { status: 401, message: 'x', wantsToken: true };
  assert.match(Words.refusalWords(wantsToken), /needs the admin token/);
  assert.match(Words.refusalWords(wantsToken, true), /token is wrong/);
  assert.equal(Words.fieldWords('options.hz: got 9; allowed: 20', 'options.hz'), 'Got 9; allowed: 20.');
  assert.equal(Words.fieldWords('no checkpoint', 'engine'), 'No checkpoint.');
});
