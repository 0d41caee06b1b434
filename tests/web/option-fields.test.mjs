import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fieldsOf, valueOf } from '../../lullwave/web/forms/option-fields.js';
import { translator } from '../../lullwave/web/shared/strings.js';
import english from '../../lullwave/web/strings/en.js';

const t = translator(english);

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
const FIELDS = Object.fromEntries(fieldsOf(SCHEMA, {}, t).map((field) => [field.name, field]));

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
  assert.equal(fieldsOf({ properties: { seed: { type: 'integer', minimum: 0, maximum: 9223372036854775807n, default: 0 } } }, {}, t)[0].help, '0 or more.');
  assert.deepEqual([image.maxLength, image.unset, drums.unset], [100, 'og_beat', true]);
  const [length] = fieldsOf(
    { properties: { duration_s: { type: 'number', minimum: 1, maximum: 60, default: 30, description: 'length in seconds' } } },
    { duration_s: { label: 'Length in seconds', placeholder: 'any' } },
    t,
  );
  assert.deepEqual([length.label, length.help, length.placeholder], ['Length in seconds', '1 to 60.', 'any']);
  assert.deepEqual(fieldsOf({}, {}, t), []);
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
