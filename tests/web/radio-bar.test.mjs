import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as Focus from '../../lullwave/web/focus/focus-state.js';
import * as Sleep from '../../lullwave/web/player/sleep-state.js';
import { actionOf } from '../../lullwave/web/radio/keys-state.js';
import { has, surprise, toggled } from '../../lullwave/web/request/request-words.js';
import { hashOf, stationIn, withoutServer } from '../../lullwave/web/radio/station-list.js';

/** A press on an element that matches some of the selectors that are asked for. */
const press = (key, { on = '', ...more } = {}) => {
  const target = { closest: (selector) => (on && selector.includes(on) ? {} : null) };
  return { key, repeat: false, defaultPrevented: false, altKey: false, ctrlKey: false, metaKey: false, shiftKey: false, target, ...more };
};

test('each key has one action', () => {
  assert.deepEqual(actionOf(press(' ')), { kind: 'play' });
  assert.deepEqual(actionOf(press('1')), { kind: 'station', index: 0 });
  assert.deepEqual(actionOf(press('9')), { kind: 'station', index: 8 });
  assert.equal(actionOf(press('0')), null);
  assert.deepEqual(actionOf(press('m')), { kind: 'mute' });
  assert.deepEqual(actionOf(press('M', { shiftKey: true })), { kind: 'mute' });
  assert.deepEqual(actionOf(press('f')), { kind: 'full-window' });
  assert.deepEqual(actionOf(press('/', { shiftKey: true })), { kind: 'request' }); // as on a German keyboard
  assert.deepEqual(actionOf(press('?', { shiftKey: true })), { kind: 'list' });
  assert.equal(actionOf(press('x')), null);
});

test('keys leave fields, dialogs, held keys and the browser’s own combinations alone', () => {
  for (const key of [' ', '1', 'm', 'f', '/', '?']) {
    for (const on of ['textarea', '[contenteditable]', 'dialog']) assert.equal(actionOf(press(key, { on })), null);
    for (const held of ['repeat', 'defaultPrevented', 'altKey', 'ctrlKey', 'metaKey']) {
      assert.equal(actionOf(press(key, { [held]: true })), null);
    }
  }
  assert.equal(actionOf(press(' ', { on: 'button' })), null); // the button's own press
  assert.deepEqual(actionOf(press('m', { on: 'button' })), { kind: 'mute' });
});

test('a station’s link leads to its id again, and odd ones to none', () => {
  for (const id of ['night-drive', 'a b', '100%', 'Straße']) assert.equal(stationIn(hashOf(id)), id);
  assert.equal(hashOf('night-drive'), '#night-drive');
  assert.equal(stationIn(''), null);
  assert.equal(stationIn('#'), null);
  assert.equal(stationIn('#%E0%A4%A'), null);
});

test('a page that opens without the server knows the stations, but nobody who listens', () => {
  const scene = { place: 'beach' };
  const sea = { id: 'sea', name: 'Sea', prompt: 'bossa', scene };
  const list = { default: 'sea', stations: [{ ...sea, listeners: 7, busy: true, state: 'asleep', now: { title: 'Old' } }] };
  assert.deepEqual(withoutServer(list), { default: 'sea', stations: [{ ...sea, listeners: 0, busy: false, state: 'on air' }] });
});

test('four rounds of focus, a longer rest after the last, and on', () => {
  const seen = [];
  let state = Focus.begin(1000);
  for (let minute = 0; minute < 165; minute += 1) {
    state = Focus.at(state, 1000 + minute * 60);
    const name = `${state.phase} ${state.round}`;
    if (seen.at(-1)?.[0] !== name) seen.push([name, minute]);
  }
  assert.deepEqual(seen, [
    ['focus 1', 0],
    ['rest 1', 25],
    ['focus 2', 30],
    ['rest 2', 55],
    ['focus 3', 60],
    ['rest 3', 85],
    ['focus 4', 90],
    ['rest 4', 115],
    ['focus 1', 130],
    ['rest 1', 155],
    ['focus 2', 160],
  ]);
});

test('the focus timer goes on over a reload, and ends where nobody followed it', () => {
  const state = Focus.begin(0);
  assert.equal(Focus.at(state, 10), state);
  assert.equal(Focus.leftS(state, 10), 1490);
  const later = Focus.at(Focus.remembered(JSON.parse(JSON.stringify(state))), 31 * 60); // missed a rest
  assert.deepEqual([later.phase, later.round, Focus.leftS(later, 31 * 60)], ['focus', 2, 24 * 60]);
  assert.equal(Focus.at(state, 8 * 3600), Focus.OFF);
  assert.equal(Focus.leftS(Focus.OFF, 0), 1500);
  for (const odd of [null, {}, { phase: 'focus', round: 9, endsAt: 1 }, { phase: 'focus', round: 1 }, { phase: 'nap', round: 1, endsAt: 1 }]) {
    assert.equal(Focus.remembered(odd), Focus.OFF);
  }
});

test('the sleep timer goes on over a reload with what was left', () => {
  let state = Sleep.listen(Sleep.setTimer(Sleep.AWAKE, 15), 1, 0);
  state = Sleep.listen(state, 1, 60.5);
  state = Sleep.remembered(JSON.parse(JSON.stringify(Sleep.kept(state))));
  assert.deepEqual([state.minutes, state.remainingS], [15, 840]);
  state = Sleep.listen(Sleep.listen(state, 1, 0), 1, 10);
  assert.deepEqual([state.minutes, state.remainingS], [15, 830]);
  assert.equal(Sleep.remembered(Sleep.kept(Sleep.setTimer(state, null))), Sleep.AWAKE);
  for (const odd of [null, {}, { minutes: 15, remainingS: 901 }, { minutes: '15', remainingS: 'x' }, { minutes: 1e9, remainingS: 5 }]) {
    assert.equal(Sleep.remembered(odd), Sleep.AWAKE);
  }
});

test('a chosen word joins the request, and leaves it again', () => {
  assert.equal(toggled('', 'rain'), 'rain');
  assert.equal(toggled('slow piano ,  no drums,', 'rain'), 'slow piano, no drums, rain');
  assert.equal(toggled('slow piano, Rain, no drums', 'rain'), 'slow piano, no drums');
  assert.equal(has('rainy night', 'rain'), false); // it is another word
  assert.equal(has('a, RAIN', 'rain'), true);
});

test('a surprise has a mood and an instrument, and only words of the vocabulary', () => {
  const vocabulary = { mood: ['calm', 'happy'], instrument: ['harp'], weather: ['rain', 'waves'], odd: ['never'] };
  let seed = 7;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const seen = new Set();
  for (let i = 0; i < 200; i += 1) {
    const words = surprise(vocabulary, random).split(', ');
    assert.ok(vocabulary.mood.includes(words[0]));
    assert.equal(words[1], 'harp');
    for (const word of words) seen.add(word);
  }
  assert.deepEqual([...seen].sort(), ['calm', 'happy', 'harp', 'rain', 'waves']);
  assert.equal(surprise({}, random), '');
});
