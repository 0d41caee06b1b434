/** Riff's list of prompts, its calls, its question and its address: what is asked for, when, and with which values. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as Calls from '../../lullwave/web/riff/music/clip-calls.js';
import { blend, bytesOf, clipRequest, riffusionRequest } from '../../lullwave/web/riff/music/clip-request.js';
import * as Walk from '../../lullwave/web/riff/music/prompt-walk.js';
import * as Settings from '../../lullwave/web/riff/music/riff-settings.js';
import * as Presence from '../../lullwave/web/riff/music/still-listening.js';

function walked(walk, count, stepSize = 0.25) {
  const steps = [];
  let now = walk;
  for (let n = 0; n < count; n += 1) {
    const made = Walk.next(now, stepSize);
    steps.push(made.step);
    now = made.walk;
  }
  return { walk: now, steps };
}
const told = ({ start, end, alpha }) => [start.prompt, start.seed, end.prompt, end.seed, alpha];

test('the walk goes from prompt to prompt, then from seed to seed, as the old web app did', () => {
  const { steps } = walked(Walk.begin(['a', 'b'], 7), 10);
  assert.deepEqual(steps.map(told), [
    ['a', 7, 'b', 7, 0],
    ['a', 7, 'b', 7, 0.25],
    ['a', 7, 'b', 7, 0.5],
    ['a', 7, 'b', 7, 0.75],
    ['a', 7, 'b', 7, 1],
    ['b', 7, 'b', 8, 0.25],
    ['b', 7, 'b', 8, 0.5],
    ['b', 7, 'b', 8, 0.75],
    ['b', 7, 'b', 8, 1],
    ['b', 8, 'b', 9, 0.25],
  ]);
});

test('any alpha step: what goes beyond the end is the beginning of the next leg, and sums do not drift', () => {
  const alphas = (stepSize, count) => walked(Walk.begin(['a'], 0), count, stepSize).steps.map(({ alpha }) => alpha);
  assert.deepEqual(alphas(0.3, 6), [0, 0.3, 0.6, 0.9, 0.2, 0.5]);
  assert.deepEqual(alphas(1, 4), [0, 1, 1, 1]);
  assert.deepEqual(alphas(0.1, 12).slice(9), [0.9, 1, 0.1]);
});

test('what is asked for is the next leg, from the nearer prompt', () => {
  const onSeeds = walked(Walk.begin(['a'], 3), 3).walk;
  const asked = Walk.ask(onSeeds, 'x');
  assert.deepEqual(told(Walk.next(asked, 0.25).step), ['a', 3, 'x', 3, 0.25]);
  const early = walked(Walk.begin(['a', 'b'], 3), 2).walk;
  assert.deepEqual(told(Walk.next(Walk.ask(early, 'x'), 0.25).step), ['a', 3, 'x', 3, 0.25]);
  assert.deepEqual(Walk.coming(Walk.ask(early, 'x')).map(({ prompt }) => prompt), ['x', 'b']);
  assert.deepEqual(told(Walk.next(Walk.ask(Walk.begin(['a'], 3), 'x'), 0.25).step), ['x', 3, 'x', 4, 0]); // nothing was heard
  const late = walked(Walk.begin(['a', 'b'], 3), 4).walk;
  assert.deepEqual(told(Walk.next(Walk.ask(late, 'x'), 0.25).step), ['b', 3, 'x', 3, 0.25]);
});

test('entries are jumped to, added and removed; the list stays short', () => {
  let { walk } = walked(Walk.begin(['a', 'b', 'c'], 1), 6);
  assert.equal(walk.at, 2);
  assert.deepEqual(told(Walk.next(Walk.jump(walk, 1), 0.25).step), ['a', 1, 'b', 1, 0]);
  assert.deepEqual(told(Walk.next(Walk.jump(walk, 3), 0.25).step), ['c', 1, 'c', 2, 0]);
  assert.equal(Walk.jump(walk, 99), walk);
  assert.equal(Walk.remove(walk, 1), walk);
  assert.deepEqual(Walk.coming(Walk.remove(walk, 3)), []);
  for (let n = 0; n < 200; n += 1) walk = walked(Walk.ask(walk, `p${n}`), 5).walk;
  assert.ok(walk.entries.length <= Walk.MOST_PAST + Walk.MOST_COMING + 1);
  for (let n = 0; n < 200; n += 1) walk = Walk.add(walk, `q${n}`);
  assert.equal(Walk.coming(walk).length, Walk.MOST_COMING);
});

test('clips that were thrown away are asked for again from where the music is', () => {
  const { walk } = walked(Walk.begin(['a', 'b'], 7), 2);
  const later = walked(walk, 5).walk;
  assert.deepEqual(told(Walk.next(Walk.back(Walk.add(later, 'c'), walk), 0.25).step), ['a', 7, 'b', 7, 0.5]);
});

test('at most three clips ahead, one call at a time, and failures are asked again later and later', () => {
  let calls = Calls.NO_CALLS;
  assert.ok(Calls.isDue(calls, 2, 0));
  assert.ok(!Calls.isDue(calls, 3, 0));
  calls = Calls.begun(calls, 0);
  assert.ok(!Calls.isDue(calls, 0, 1e9));
  const waits = [];
  let now = 0;
  for (let n = 0; n < 8; n += 1) {
    calls = Calls.failed(calls, { status: 500, message: 'no' }, now, 0.999);
    waits.push(Math.round((calls.notBeforeMs - now) / 100) / 10);
    assert.ok(!Calls.isDue(calls, 0, calls.notBeforeMs - 1));
    assert.ok(Calls.isDue(calls, 0, calls.notBeforeMs));
    now = calls.notBeforeMs;
    calls = Calls.begun(calls, now);
  }
  assert.deepEqual(waits, [0.5, 1, 2, 4, 8, 15, 15, 15]);
  assert.equal(Calls.failed(calls, { status: 429, message: '', retryAfterS: 60 }, 0, 0).notBeforeMs, 60_000);
  calls = Calls.answered(calls, 5, now + 1000);
  assert.deepEqual([calls.attempt, calls.problem, calls.sinceMs], [0, null, null]);
  assert.equal(calls.answers[0].tookS, (now + 1000) / 1000); // with the failures before
});

test('a refusal is not asked again until something changes', () => {
  for (const [status, again] of [[0, true], [429, true], [500, true], [503, true], [401, false], [404, false], [422, false]]) {
    const calls = Calls.failed(Calls.begun(Calls.NO_CALLS, 0), { status, message: 'x' }, 0, 0);
    assert.equal(Calls.isDue(calls, 0, 1e6), again, String(status));
    assert.ok(Calls.isDue(Calls.changed(calls), 0, 0));
  }
});

test('the pace is told from the last answers, and a call is given more time where answers are slow', () => {
  let calls = Calls.NO_CALLS;
  const answer = (musicS, tookS) => {
    calls = Calls.answered(Calls.begun(calls, 0), musicS, tookS * 1000);
  };
  assert.equal(Calls.patienceS(calls), 300);
  answer(5, 10);
  assert.equal(Calls.isBehind(calls, false), false);
  answer(5, 10);
  assert.equal(Calls.pace(calls), 0.5);
  assert.ok(Calls.isBehind(calls, false));
  assert.equal(Calls.patienceS(calls), 60);
  answer(5, 40);
  assert.equal(Calls.patienceS(calls), 160);
  for (let n = 0; n < 5; n += 1) answer(5, 4.6);
  assert.equal(Calls.isBehind(calls, false), false);
  assert.equal(Calls.isBehind(calls, true), true);
  for (let n = 0; n < 5; n += 1) answer(5, 1);
  assert.equal(Calls.isBehind(calls, true), false);
});

test('after ten idle minutes the listener is asked, and without an answer the music pauses', () => {
  const minute = 60_000;
  let presence = Presence.here(0);
  presence = Presence.touched(presence, 5 * minute);
  presence = Presence.ticked(presence, 15 * minute - 1, true);
  assert.equal(presence.phase, 'here');
  presence = Presence.ticked(presence, 15 * minute, true);
  assert.equal(presence.phase, 'asking');
  assert.equal(Presence.mayAsk(presence), false);
  assert.equal(Presence.touched(presence, 16 * minute).phase, 'asking');
  assert.equal(Presence.ticked(presence, 18 * minute, true).phase, 'gone');
  assert.equal(Presence.here(16 * minute).phase, 'here');
  assert.equal(Presence.ticked(Presence.here(0), 60 * minute, false).phase, 'here'); // nothing plays, nothing is asked
});

test('the parameters of the old web app are read, and wrong ones are left out', () => {
  const old =
    '?prompt=jamaican%20rap%20%26%20dub&seed=51209&denoising=0.85&maskImageId=none&seedImageId=marim&guidance=7&numInferenceSteps=50&alphaVelocity=0.5';
  assert.deepEqual(Settings.fromAddress(old), {
    prompts: ['jamaican rap & dub'],
    settings: {
      seedImageId: 'marim', maskImageId: '', denoising: 0.85, numInferenceSteps: 50, guidance: 7, alphaVelocity: 0.5, seed: 51209,
    },
  });
  const wrong = '?seed=-1&denoising=nan&guidance=&numInferenceSteps=2.5&seedImageId=..%2Fx&alphaVelocity=9&prompt=%20%0A';
  assert.deepEqual(Settings.fromAddress(wrong), { settings: {}, prompts: [] });
});

test('a link brings everything back, whatever the words', () => {
  const settings = { ...Settings.usual(9), seedImageId: 'vibes', maskImageId: 'mask_top_third_75', negativePrompt: 'a&b=c?', alphaVelocity: 0.1 };
  const prompts = ['100% “Käse” & <b>brass</b> + #1', 'then\tthis', '鋼琴 🎹'];
  const read = Settings.fromAddress(Settings.toAddress(prompts, settings));
  assert.deepEqual(read.prompts, [prompts[0], 'then this', prompts[2]]);
  assert.deepEqual({ ...Settings.usual(0), ...read.settings }, settings);
  assert.equal(Settings.promptOf('x'.repeat(5000)).length, Settings.MAX_PROMPT);
});

test('requests have the form of each interface', () => {
  const settings = { ...Settings.usual(9), negativePrompt: 'drums, (loud)' };
  const { step } = Walk.next(Walk.next(Walk.begin(['a', 'b'], 9), 0.25).walk, 0.25);
  assert.deepEqual(riffusionRequest(step, { ...settings, negativePrompt: '' }), {
    start: { prompt: 'a', seed: 9, denoising: 0.75, guidance: 7 },
    end: { prompt: 'b', seed: 9, denoising: 0.75, guidance: 7 },
    alpha: 0.25, num_inference_steps: 50, seed_image_id: 'og_beat', mask_image_id: '',
  });
  assert.equal(riffusionRequest(step, settings).end.negative_prompt, 'drums, (loud)');
  assert.deepEqual(clipRequest(step, settings, 'synth', ['loop', 'tempo_bpm', 'crackle'], 9), {
    prompt: 'a :0.75 | b :0.25, -(drums   loud )',
    seed: 9000, duration_s: 12, engine: 'synth', format: 'flac', options: { loop: true, tempo_bpm: 80 },
  });
  const seeds = walked(Walk.begin(['a'], 9), 9).steps.map((one) => clipRequest(one, settings, 'synth', [], 9).seed);
  assert.equal(new Set(seeds).size, 9);
  assert.equal(blend('a | b :2', 'c', 0.5), 'a b :0.5 | c :0.5');
  assert.equal(blend('a', 'b', 0), 'a');
  assert.equal(blend('a', 'b', 1), 'b');
  assert.deepEqual([...bytesOf('data:audio/mpeg;base64,AQL/')], [1, 2, 255]);
});
