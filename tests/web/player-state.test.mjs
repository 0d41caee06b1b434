import assert from 'node:assert/strict';
import { test } from 'node:test';

import { retryDelayMs } from '../../lullwave/web/shared/backoff.js';
import * as Player from '../../lullwave/web/player/player-state.js';
import { lead, playerStatus } from '../../lullwave/web/radio/wording.js';
import { translator } from '../../lullwave/web/shared/strings.js';
import english from '../../lullwave/web/strings/en.js';

const t = translator(english);
const { INITIAL, PATIENCE_MS } = Player;
const playing = () => Player.sounding(Player.play(INITIAL, 0), 500);

test('play opens one connection, and a second press opens no other', () => {
  const once = Player.play(INITIAL, 0);
  assert.equal(once.phase, 'connecting');
  assert.equal(once.connection, 1);
  assert.equal(Player.play(once, 10), once);
});

test('pause closes the connection and play rejoins with a new one', () => {
  const paused = Player.pause(playing());
  assert.equal(Player.isOpen(paused), false);
  const again = Player.play(paused, 9_000);
  assert.equal(again.connection, 2);
  assert.equal(Player.isOpen(again), true);
});

test('running dry is buffering, and sound ends it', () => {
  const dry = Player.starved(playing(), 1_000);
  assert.equal(dry.phase, 'buffering');
  assert.equal(Player.isOpen(dry), true);
  assert.equal(Player.sounding(dry, 1_200).phase, 'playing');
});

test('connections begin with little music until that was too little', () => {
  assert.equal(Player.burstS(playing()), 2);
  assert.equal(Player.burstS(Player.pause(Player.starved(playing(), 1_000))), null);
  assert.equal(Player.burstS(Player.lost(playing(), 1_000, 0)), null);
  assert.equal(Player.burstS(Player.lost(Player.play(INITIAL, 0), 1_000, 0)), 2); // there was no sound at all
  const past = Player.sounding(Player.playClip(INITIAL, { url: 'x', title: '', seconds: 9 }, 0), 500);
  assert.equal(Player.burstS(Player.starved(past, 1_000)), 2);
});

test('a loss waits, then connects again by itself', () => {
  const lost = Player.lost(playing(), 1_000, 0);
  assert.equal(lost.phase, 'waiting');
  assert.equal(Player.isOpen(lost), false);
  assert.equal(Player.tick(lost, lost.retryAt - 1, 0, 0), lost);
  const again = Player.tick(lost, lost.retryAt, 0, 0);
  assert.equal(again.phase, 'connecting');
  assert.equal(again.connection, 2);
});

test('repeated losses wait longer; five seconds of sound forget them', () => {
  let state = Player.play(INITIAL, 0);
  const waits = [];
  for (let now = 0; waits.length < 5; now += 60_000) {
    state = Player.lost(state, now, 0.5);
    waits.push(state.retryAt - now);
    state = Player.tick(state, state.retryAt, 0, 0);
  }
  assert.deepEqual(waits, [...waits].sort((a, b) => a - b));
  assert.ok(waits[4] > waits[0]);

  const start = state.movedAt;
  state = Player.tick(state, start + 100, 0.1, 0);
  assert.equal(state.phase, 'playing');
  assert.equal(state.attempt, 5);
  state = Player.tick(state, start + 6_000, 6, 0);
  assert.equal(state.attempt, 0);
});

for (const phase of ['connecting', 'playing', 'buffering']) {
  test(`the watchdog gives up a connection that stands still while ${phase}`, () => {
    const state = { ...playing(), phase, heardTime: 3, movedAt: 1_000 };
    assert.equal(Player.tick(state, 1_000 + PATIENCE_MS[phase], 3, 0).phase, phase);
    assert.equal(Player.tick(state, 1_001 + PATIENCE_MS[phase], 3, 0).phase, 'waiting');
  });
}

test('a clock that moves keeps the watchdog quiet', () => {
  let state = playing();
  for (let second = 1; second < 60; second += 1) state = Player.tick(state, second * 1_000, second, 0);
  assert.equal(state.phase, 'playing');
  assert.equal(state.connection, 1);
});

test('the network that comes back is tried at once; one that goes changes nothing by itself', () => {
  const offline = Player.network(playing(), false, 1_000);
  assert.equal(offline.phase, 'playing');
  const waiting = Player.lost(offline, 2_000, 0.99);
  const online = Player.network(waiting, true, 2_010);
  assert.equal(online.phase, 'connecting');
});

test('a lost station is tried again within three seconds however often it fails, or at once if the listener asks', () => {
  let state = playing();
  for (let now = 10_000, loss = 0; loss < 12; loss += 1) {
    state = Player.lost(state, now, 0.999);
    assert.ok(state.retryAt - now <= 3_000);
    assert.equal(Player.retryInS(state, now), Math.ceil((state.retryAt - now) / 1000));
    now = state.retryAt;
    assert.equal(Player.retryInS(state, now), 0);
    state = Player.tick(state, now, 0, 0);
    assert.equal(state.phase, 'connecting');
    assert.equal(Player.retryInS(state, now), null);
  }
  const waiting = Player.lost(state, 99_000, 0.5);
  assert.equal(Player.tryNow(waiting, 99_001).phase, 'connecting');
  assert.equal(Player.tryNow(state, 99_001), state);
});

test('losses while paused or waiting are old news', () => {
  assert.equal(Player.lost(INITIAL, 0, 0), INITIAL);
  const waiting = Player.lost(playing(), 1_000, 0);
  assert.equal(Player.lost(waiting, 1_100, 0), waiting);
});

test('another station moves a listener over, and leaves a pause alone', () => {
  assert.equal(Player.retune(INITIAL, 0), INITIAL);
  assert.equal(Player.retune(playing(), 1_000).connection, 2);
});

test('a clip of the past is followed by the live stream', () => {
  const clip = { url: 'past.mp3', title: 'Then', seconds: 30 };
  const again = Player.playClip(playing(), clip, 1_000);
  assert.equal(again.clip, clip);
  const live = Player.lost(Player.sounding(again, 1_100), 60_000, 0);
  assert.equal(live.clip, null);
  assert.equal(live.phase, 'connecting');
  assert.equal(live.connection, again.connection + 1);
  assert.equal(live.missed, false);
});

test('a clip may take a while to be made; one that never sounds is said to be missed', () => {
  const asked = Player.playClip(playing(), { url: 'past.mp3', title: 'Then', seconds: 30 }, 0);
  assert.equal(Player.tick(asked, PATIENCE_MS.connecting + 1, 0, 0).clip, asked.clip);
  const live = Player.tick(asked, Player.CLIP_PATIENCE_MS + 1, 0, 0);
  assert.equal(live.clip, null);
  assert.equal(live.phase, 'connecting');
  assert.equal(live.missed, true);
  assert.equal(Player.play(Player.pause(live), 0).missed, false);
});

test('a refused start says so until the next press', () => {
  const refused = Player.refuse(Player.play(INITIAL, 0));
  assert.equal(refused.phase, 'paused');
  assert.equal(refused.refused, true);
  assert.equal(Player.play(refused, 1).refused, false);
});

test('who is turned away says why, and tries again when the server wants', () => {
  const full = { message: 'the station is full', retryAfterS: 30 };
  const lost = Player.lost(Player.play(INITIAL, 0), 100, 0);
  const waiting = Player.turnedAway(lost, lost.connection, full, 200, 0);
  assert.equal(playerStatus(t, waiting), 'The station is full. Trying again soon…');
  assert.equal(waiting.retryAt, 30_200);
  assert.equal(Player.tick(waiting, 30_199, 0, 0).phase, 'waiting');
  const again = Player.tick(waiting, 30_200, 0, 0);
  assert.equal(again.phase, 'connecting');
  assert.equal(playerStatus(t, Player.lost(again, 31_000, 0)), 'The station cannot be reached. Trying again…');
  assert.equal(Player.turnedAway(again, lost.connection, full, 30_300, 0), again);
  assert.ok(Player.turnedAway(lost, lost.connection, full, 200, 0.99).retryAt > 37_000);
});

test('a moment that the server has no time for is not called lost', () => {
  const asked = Player.playClip(playing(), { url: 'past.mp3', title: 'Then', seconds: 30 }, 0);
  const live = Player.lost(asked, 100, 0);
  const told = Player.turnedAway(live, asked.connection, { message: '3 clips are being made', retryAfterS: 10 }, 200, 0);
  assert.equal(told.phase, 'connecting');
  const heard = Player.sounding(told, 300);
  assert.equal(playerStatus(t, heard), 'Live. That moment cannot be played now: 3 clips are being made');
  assert.equal(playerStatus(t, Player.tick(Player.tick(heard, 400, 1, 0), 6_000, 6, 0)), 'Live');
});

test('waits double, stay below fifteen seconds and are spread by chance', () => {
  assert.equal(retryDelayMs(1, 0), 250);
  assert.ok(retryDelayMs(1, 0.999) <= 500);
  assert.equal(retryDelayMs(2, 0), 500);
  assert.ok(retryDelayMs(40, 0.999) <= 15_000);
});

test('a piece of the tape that is lost is tried again, and no live stream takes its place', () => {
  const clip = { url: 'a.mp3', title: 'A', seconds: 90, isOnTape: true };
  const lost = Player.lost(Player.playClip(Player.INITIAL, clip, 0), 1_000, 0);
  assert.deepEqual([lost.phase, lost.clip], ['waiting', clip]);
  const again = Player.tick(lost, lost.retryAt, 0, 0);
  assert.deepEqual([again.phase, again.clip, again.connection], ['connecting', clip, 2]);
  assert.equal(playerStatus(t, Player.sounding(again, 5_000), 'yours'), 'Your tape');
  assert.equal(lead(t, Player.INITIAL, 'My tape', 'yours'), 'On your tape');
});
