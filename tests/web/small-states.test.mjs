import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Api, ApiError, complaint } from '../../lullwave/web/shared/api.js';
import { listenerId } from '../../lullwave/web/shared/listener-id.js';
import { embedStatus } from '../../lullwave/web/embed/embed-status.js';
import { catHint, meowed, remembered } from '../../lullwave/web/scene/meow-state.js';
import { Preferences } from '../../lullwave/web/shared/preferences.js';
import * as Sleep from '../../lullwave/web/player/sleep-state.js';
import { INITIAL } from '../../lullwave/web/player/player-state.js';
import { isForPlayer } from '../../lullwave/web/player/space-bar.js';
import { translator } from '../../lullwave/web/shared/strings.js';
import { SteeringRequests } from '../../lullwave/web/station/steering-requests.js';
import * as Steer from '../../lullwave/web/station/steering-state.js';
import english from '../../lullwave/web/strings/en.js';
import german from '../../lullwave/web/strings/de.js';
import { OtherTab } from '../../lullwave/web/radio/other-tab.js';
import * as Words from '../../lullwave/web/radio/wording.js';

const t = translator(english);

test('the sleep timer counts sound that was heard, across connections', () => {
  let state = Sleep.setTimer(Sleep.listen(Sleep.AWAKE, 1, 100), 1);
  state = Sleep.listen(state, 1, 110);
  assert.equal(state.remainingS, 50);
  state = Sleep.listen(state, 2, 3); // a new connection's clock starts again
  assert.equal(state.remainingS, 50);
  state = Sleep.listen(state, 2, 8);
  assert.equal(state.remainingS, 45);
  assert.equal(Sleep.fadeGain(state), 1);
});

test('the last half minute fades to nothing, then it is over', () => {
  let state = Sleep.setTimer(Sleep.listen(Sleep.AWAKE, 1, 0), 1);
  const gains = [];
  for (let time = 30; time <= 60; time += 5) {
    state = Sleep.listen(state, 1, time);
    gains.push(Sleep.fadeGain(state));
  }
  assert.equal(gains[0], 1);
  assert.equal(gains.at(-1), 0);
  for (let i = 1; i < gains.length; i += 1) assert.ok(gains[i] < gains[i - 1]);
  assert.equal(Sleep.isOver(state), true);
  assert.equal(Sleep.isOver(Sleep.AWAKE), false);
});

const press = (more = {}) => ({
  key: ' ',
  repeat: false,
  defaultPrevented: false,
  altKey: false,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  target: { closest: () => null },
  ...more,
});

test('the space bar is the player’s only where nothing else wants it', () => {
  assert.equal(isForPlayer(press()), true);
  assert.equal(isForPlayer(press({ key: 'a' })), false);
  assert.equal(isForPlayer(press({ repeat: true })), false);
  assert.equal(isForPlayer(press({ ctrlKey: true })), false);
  assert.equal(isForPlayer(press({ defaultPrevented: true })), false);
  assert.equal(isForPlayer(press({ target: { closest: () => ({}) } })), false);
  assert.equal(isForPlayer(press({ target: null })), true);
});

test('preferences survive a visit, odd contents and absent storage', () => {
  const kept = new Map();
  const storage = { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v) };
  Preferences(storage).write('volume', 0.25);
  assert.equal(Preferences(storage).read('volume', 0.7), 0.25);
  kept.set('lullwave.volume', '"loud"');
  assert.equal(Preferences(storage).read('volume', 0.7), 0.7);
  kept.set('lullwave.volume', '{broken');
  assert.equal(Preferences(storage).read('volume', 0.7), 0.7);
  const forbidden = { getItem: () => assert.fail('no'), setItem: () => assert.fail('no') };
  Preferences(forbidden).write('volume', 1);
  assert.equal(Preferences(forbidden).read('volume', 0.7), 0.7);
  assert.equal(Preferences(null).read('volume', 0.7), 0.7);
});

test('a hundred meows are an achievement, once', () => {
  let state = remembered(98);
  state = meowed(state);
  assert.deepEqual(state, { meows: 99, justEarned: false });
  state = meowed(state);
  assert.deepEqual(state, { meows: 100, justEarned: true });
  assert.equal(meowed(state).justEarned, false);
  assert.equal(catHint(t, remembered(0)), 'Say hello');
  assert.match(catHint(t, state), /best friends/i);
});

const reply = {
  state: 'turning',
  frame: 900,
  understood: { text: 'rain on the window', ignored: ['xyzzy'] },
  heard_in_s: 4.6,
};

test('a request is sent, understood and heard, or refused', () => {
  const sent = Steer.sending('rain');
  const turning = Steer.answered(sent, reply);
  assert.equal(turning.phase, 'turning');
  assert.deepEqual(turning.ignored, ['xyzzy']);
  assert.equal(Steer.answered(sent, reply, 3).heardInS, 7.6);
  assert.equal(Words.steeringAnswer(t, turning), 'You will hear it in 4.5 seconds.');
  assert.equal(Steer.heard(turning, { prompt: 'rain', frame: 800 }), turning);
  const heard = Steer.heard(turning, { prompt: 'rain', frame: 900 });
  assert.match(Words.steeringAnswer(t, heard), /now you hear it.*rain/i);
  assert.equal(Steer.heard(heard, { prompt: 'snow', frame: 1000 }), heard);
  assert.equal(Words.steeringAnswer(t, Steer.refused(sent, { message: 'Too soon.' })), 'Too soon.');
  assert.equal(Steer.refused(sent, { message: 'no', wantsToken: true }).wantsToken, true);
});

test('the wait counts down in half seconds, never more than a quarter of a second wrong', () => {
  const turning = Steer.answered(Steer.sending('rain'), reply);
  assert.equal(Steer.counted(turning, 4.55), turning);
  const later = Steer.counted(turning, 1.2);
  assert.equal(Words.steeringAnswer(t, later), 'You will hear it in 1 second.');
  assert.equal(later.waitS, 4.6);
  assert.match(Words.steeringAnswer(t, Steer.counted(later, -0.3)), /any moment/);
  const queued = Steer.answered(Steer.sending('rain'), { ...reply, state: 'queued' });
  assert.equal(Steer.counted(queued, 1), queued);
  for (const leftS of [4.55, 1.2, 0.8, 0.3]) {
    const wait = Steer.nextCountS(turning, leftS);
    assert.ok(wait > 0 && wait <= 0.5);
    assert.equal(Steer.toldS(leftS - wait + 0.01), Steer.toldS(leftS));
    assert.equal(Steer.toldS(leftS - wait - 0.01), Steer.toldS(leftS) - 0.5);
    assert.ok(Math.abs(Steer.toldS(leftS) - leftS) <= 0.25);
  }
  const half = Words.steeringAnswer(translator(german), Steer.counted(turning, 2.6));
  assert.equal(half, 'Du hörst es in 2,5 Sekunden.');
  assert.equal(Steer.nextCountS(turning, -0.1), Infinity);
  assert.equal(Steer.nextCountS(queued, 1), Infinity);
});

test('a request that the station does not understand changes nothing, and a known word is proposed', () => {
  const understood = { text: 'anything', ignored: ['pinao', 'x'], suggestions: { pinao: ['piano'] } };
  const told = Steer.answered(Steer.sending('pinao x'), { ...reply, state: 'ignored', frame: null, understood });
  assert.match(Words.steeringAnswer(t, told), /stays as it is/);
  assert.equal(told.understood, null);
  assert.equal(Words.withoutEffect(t, told), 'No effect: pinao (did you mean piano?), x');
  assert.equal(Steer.heard(told, { prompt: 'pinao x', frame: 5 }), told);
});

test('a request that waited and came to nothing is told, and nobody else\'s', () => {
  for (const state of ['queued', 'voted']) {
    const waits = Steer.answered(Steer.sending('rain'), { ...reply, state, frame: null });
    const news = { prompt: 'rain', undo: false, reason: 'the engine failed' };
    assert.equal(Steer.dropped(waits, { ...news, prompt: 'snow' }), waits);
    assert.equal(Steer.dropped(waits, { ...news, undo: true }), waits);
    const told = Steer.dropped(waits, news);
    assert.equal(Words.steeringAnswer(t, told), 'Your request came to nothing: the engine failed.');
    assert.equal(Steer.heard(told, { prompt: 'snow', frame: 5 }), told);
  }
  const undo = Steer.answered(Steer.sending(''), { ...reply, state: 'queued', prompt: 'rain', frame: null });
  assert.equal(Steer.dropped(undo, { prompt: 'snow', undo: true, reason: 'x' }).phase, 'dropped');
  assert.equal(Steer.dropped(undo, { prompt: 'rain', undo: false, reason: 'x' }), undo);
  assert.equal(Steer.heard(undo, { prompt: 'snow', frame: 5 }), undo);
  assert.equal(Steer.heard(undo, { prompt: 'rain', frame: 5 }).phase, 'heard');
  const vote = Steer.answered(Steer.sending(''), { ...reply, state: 'voted', prompt: 'rain', frame: null });
  assert.equal(Steer.dropped(vote, { prompt: 'rain', undo: false, reason: 'x' }).phase, 'dropped');
  const turning = Steer.answered(Steer.sending('rain'), reply);
  assert.equal(Steer.dropped(turning, { prompt: 'rain', undo: false, reason: 'x' }), turning);
});

test('a request that waits or a vote is known by its words', () => {
  for (const state of ['queued', 'voted']) {
    const waits = Steer.answered(Steer.sending('rain'), { ...reply, state, frame: null });
    assert.equal(Steer.heard(waits, { prompt: 'snow', frame: 5 }), waits);
    assert.equal(Steer.heard(waits, { prompt: 'rain', frame: 5 }).phase, 'heard');
    assert.match(Words.steeringAnswer(t, waits), /5 seconds/);
  }
});

test('words for people, times and pieces', () => {
  assert.equal(Words.tunedIn(t, 1), '1 person tuned in');
  assert.equal(Words.tunedIn(t, 1234), '1,234 people tuned in');
  assert.equal(Words.tunedIn(t, null), 'Tuning in…');
  assert.equal(Words.clock(61), '1:01');
  assert.equal(Words.clock(59.2), '1:00');
  assert.equal(Words.ago(t, 10), 'just now');
  assert.equal(Words.ago(t, 600), '10 min ago');
  assert.equal(Words.ago(t, 7_200), '2 h ago');
  assert.deepEqual(Words.facts(t, { tempo_bpm: 81.6, key: 'D minor' }), ['82 BPM', 'D minor']);
  assert.deepEqual(Words.facts(t, { key: 'Bb minor' }), ['B♭ minor']);
  assert.deepEqual(Words.facts(t, { key: 'C# major' }), ['C♯ major']);
  assert.deepEqual(Words.facts(t, null), []);
  assert.match(Words.steeringPolicy(t, 'vote'), /vote/);
  assert.match(Words.steeringPolicy(t, 'vote', true), /owner has frozen/);
  assert.match(Words.steeringPolicy(t, 'everyone', false, false), /needs the admin token. You can choose another station/);
  assert.match(Words.steeringPolicy(t, 'owner', false, false), /Only the owner.*You can choose another station/);
});

test('a language has its own numbers, plurals, quotes and names of keys', () => {
  const de = translator(german);
  assert.deepEqual([0, 1, 2, 1234].map((count) => Words.tunedIn(de, count)), ['Noch hört niemand zu', '1 Mensch hört zu', '2 Menschen hören zu', '1.234 Menschen hören zu']);
  const [hour, day] = [3_600, 86_400];
  assert.deepEqual([10, 600, 2 * hour, day, 3 * day].map((s) => Words.ago(de, s)), ['gerade eben', 'vor 10 Min.', 'vor 2 Std.', 'vor 1 Tag', 'vor 3 Tagen']);
  const keys = ['D minor', 'Bb minor', 'B major', 'C# minor', 'Eb major', 'D dorian', 'H'];
  assert.deepEqual(Words.facts(de, { tempo_bpm: 81.6, metre: '3/4' }), ['82 BPM', '3/4']);
  assert.deepEqual(keys.flatMap((key) => Words.facts(de, { key })), ['D-Moll', 'B-Moll', 'H-Dur', 'Cis-Moll', 'Es-Dur', 'D dorian', 'H']);
  assert.deepEqual(keys.flatMap((key) => Words.facts(t, { key })), ['D minor', 'B♭ minor', 'B major', 'C♯ minor', 'E♭ major', 'D dorian', 'H']);
  const told = { ignored: ['pinao', 'x'], suggestions: { pinao: ['piano', 'pan'] } };
  assert.equal(Words.withoutEffect(de, told), 'Ohne Wirkung: pinao (war piano oder pan gemeint?), x');
  assert.equal(Words.withoutEffect(t, told), 'No effect: pinao (did you mean piano or pan?), x');
});

test('what the engine understood is said in the language of the page, without what it did not', () => {
  const de = translator(german);
  const said = 'piano; calm; with rain and a fire; no oboe here: flute instead; in Bb minor; not understood: xyzzy (did you mean x?)';
  assert.equal(Words.understoodWords(de, said), 'Klavier; ruhig; mit Regen und Feuer; hier gibt es „oboe“ nicht, dafür Flöte; in B-Moll');
  assert.equal(Words.understoodWords(t, said), 'piano; calm; with rain and a fire; no oboe here: flute instead; in B♭ minor');
  assert.equal(Words.understoodWords(de, 'jazz (67%) and synthwave (33%); only strings; 67 bpm; in 3/4; without drums'), 'jazz (67%) und synthwave (33%); nur Streicher; 67 bpm; in 3/4; ohne Schlagzeug');
  assert.equal(Words.lead(de, INITIAL, 'Drift', 'on air', true), 'Von vorhin');
});

test('every state of the radio page has German words', () => {
  const de = translator(german);
  const player = (phase, more = {}) => ({ ...INITIAL, phase, ...more });
  const phases = ['paused', 'connecting', 'buffering', 'waiting', 'playing'];
  const players = [...phases.map((phase) => player(phase)), ...phases.map((phase) => player(phase, { clip: {}, attempt: 1, missed: true, answer: '…' }))];
  const odd = [player('waiting', { online: false }), player('paused', { refused: true }), player('playing', { missed: true }), player('connecting', { attempt: 1 })];
  const rungs = ['reserve', 'recycled', 'embedded'].flatMap((rung) => ['loading', 'failed', 'lost', 'slow'].map((cause) => ({ rung, cause })));
  const steering = ['sending', 'turning', 'queued', 'ignored', 'voted', 'heard', 'dropped'].map((phase) => ({ phase, prompt: '…', heardInS: 3, problem: '…' }));
  const said = (t) => [
    ...[...players, ...odd].flatMap((one) => [Words.playerStatus(t, one), Words.playerStatus(t, one, 'asleep', true), Words.playerStatus(t, one, 'asleep')]),
    ...players.flatMap((one) => [Words.lead(t, one), Words.lead(t, one, '…', 'asleep'), Words.untitled(t, one)]),
    ...[...rungs, { asked: { steps: 1 } }, { asked: { smaller: true } }].map((one) => Words.stationNote(t, one)),
    ...steering.map((one) => Words.steeringAnswer(t, one)),
    ...[null, 'private', 'owner', 'vote', 'everyone'].flatMap((policy) => [Words.steeringPolicy(t, policy), Words.steeringPolicy(t, policy, true), Words.steeringPolicy(t, policy, false, false)]),
    ...[0, 1, 100].map((meows) => catHint(t, remembered(meows))),
  ];
  const [inEnglish, inGerman] = [said(t), said(de)];
  for (const [index, words] of inGerman.entries()) {
    assert.doesNotMatch(words, /\{|^[a-z]+\.[a-z-]+/, 'a key, or a place without a value');
    assert.equal(words === '', inEnglish[index] === '');
    if (!['', 'Live'].includes(words)) assert.notEqual(words, inEnglish[index]);
  }
});

test('listener ids are version 4 UUIDs', () => {
  const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(listenerId(), pattern);
  assert.match(listenerId((bytes) => bytes.fill(255)), pattern);
  assert.notEqual(listenerId(), listenerId());
});

const answer = (status, body) => async () => new Response(JSON.stringify(body), { status });

test('addresses stay below the page’s own, so that a path prefix works', () => {
  const api = Api({ t, base: 'https://example.org/radio/', listener: 'me', fetch: answer(200, {}) });
  assert.equal(api.streamUrl('a b', 3), 'https://example.org/radio/stations/a%20b/stream.mp3?connection=3&listener=me');
  for (const hls of [false, true]) {
    assert.match(api.streamUrl('a', 3, { savesData: true, hls }), /stream\.mp3\?connection=3&kbps=64&listener=me$/);
  }
  assert.match(api.streamUrl('a', 3, { burstS: 2 }), /stream\.mp3\?connection=3&burst_s=2&listener=me$/);
  assert.match(api.streamUrl('a', 3, { hls: true, burstS: 2 }), /index\.m3u8\?connection=3&listener=me$/);
  assert.match(api.streamUrl('a', 3, { hls: true }), /stations\/a\/hls\/index\.m3u8\?connection=3&listener=me$/);
  assert.equal(api.socketUrl(), 'wss://example.org/radio/ws?listener=me');
});

test('what the server says was wrong reaches the listener', async () => {
  const error = (field) => ({ error: { field, message: 'No.', allowed: null } });
  const failing = (status, field) => Api({ t, base: 'http://x/', listener: 'me', fetch: answer(status, error(field)) });
  for (const [status, field, wantsToken] of [[429, null, false], [401, 'Authorization', true], [403, 'Authorization', true], [403, 'Origin', false]]) {
    await assert.rejects(failing(status, field).steer('s', 'rain'), (thrown) => {
      assert.ok(thrown instanceof ApiError);
      assert.deepEqual([thrown.message, thrown.status, thrown.wantsToken], ['No.', status, wantsToken]);
      return true;
    });
  }
  assert.equal(complaint(t, { detail: [{ msg: 'prompt too long' }] }, 422), 'prompt too long');
  assert.match(complaint(t, null, 502), /502/);
});

test('a token is shown where there is one', async () => {
  const sent = [];
  const fetch = async (url, options) => {
    sent.push([url, options.headers.authorization, JSON.parse(options.body)]);
    return new Response('{}');
  };
  const api = Api({ t, base: 'http://x/', listener: 'me', fetch });
  await api.steer('s', 'rain', 'secret');
  await api.undo('s', '');
  assert.deepEqual(sent, [
    ['http://x/api/stations/s/prompt', 'Bearer secret', { prompt: 'rain', listener: 'me' }],
    ['http://x/api/stations/s/undo', undefined, { listener: 'me' }],
  ]);
});

test('a dead network is told apart from an answer', async () => {
  const dead = async () => {
    throw new TypeError('fetch failed');
  };
  await assert.rejects(Api({ t, base: 'http://x/', listener: 'me', fetch: dead }).stations(), { status: 0 });
});

test('the page says what is heard in place of the station’s own music, and nothing while all is well', () => {
  assert.equal(Words.stationNote(t), '');
  assert.equal(Words.stationNote(t, { rung: 'engine', cause: 'none' }), '');
  assert.equal(Words.stationNote(t, { rung: 'engine', cause: 'slow' }), '');
  assert.match(Words.stationNote(t, { rung: 'engine', cause: 'none', asked: { steps: 12 } }), /too slow.*lower quality/);
  assert.match(Words.stationNote(t, { rung: 'engine', asked: { steps: 12, smaller: true } }), /smaller model plays/);
  assert.match(Words.stationNote(t, { rung: 'recycled', cause: 'slow', asked: { smaller: true } }), /works ahead/);
  assert.match(Words.stationNote(t, { rung: 'reserve', cause: 'lost' }), /does not answer.*buffer.*reconnecting/);
  assert.match(Words.stationNote(t, { rung: 'recycled', cause: 'lost' }), /replayed clips until it is back/);
  assert.match(Words.stationNote(t, { rung: 'embedded', cause: 'loading' }), /loading.*embedded engine/);
  assert.match(Words.stationNote(t, { rung: 'embedded', cause: 'failed' }), /cannot be loaded/);
  assert.match(Words.stationNote(t, { rung: 'recycled', cause: 'slow' }), /works ahead/);
});

test('the small player says in each language what it does', () => {
  const inGerman = translator(german);
  const waiting = { ...INITIAL, phase: 'waiting' };
  assert.equal(embedStatus({ ...INITIAL, phase: 'buffering' }, inGerman), 'Puffere…');
  assert.equal(embedStatus({ ...INITIAL, refused: true }, inGerman), german['embed.refused']);
  assert.equal(embedStatus({ ...waiting, online: false, answer: 'full' }, inGerman), german['embed.offline']);
  assert.equal(embedStatus({ ...waiting, answer: 'the station is full.' }, inGerman), 'The station is full. Gleich noch einmal…');
  for (const phase of ['paused', 'connecting', 'playing', 'buffering', 'waiting']) {
    assert.ok(!embedStatus({ ...INITIAL, phase }, t).includes('embed.'), phase);
  }
});

/** Channels of one name, without a browser. */
function channels() {
  const open = [];
  return class {
    constructor() {
      this.hear = () => {};
      open.push(this);
    }
    addEventListener(kind, hear) {
      this.hear = hear;
    }
    postMessage(data) {
      for (const other of open) if (other !== this) other.hear({ data });
    }
  };
}

test('the tab that is played last goes on, the other pauses, and a new one knows that another plays', () => {
  const Channel = channels();
  const tab = () => {
    const state = { wanted: false, elsewhere: false };
    const listeners = { onTaken: () => (state.wanted = false), onChange: (elsewhere) => (state.elsewhere = elsewhere) };
    const other = OtherTab(listeners, Channel);
    const want = (wanted) => other.update({ wanted: (state.wanted = wanted) });
    return { state, want, refresh: () => want(state.wanted), leave: other.leave };
  };
  const one = tab();
  one.want(true);
  const two = tab();
  assert.deepEqual([one.state, two.state], [{ wanted: true, elsewhere: false }, { wanted: false, elsewhere: true }]);
  two.want(true);
  one.refresh();
  assert.deepEqual([one.state, two.state], [{ wanted: false, elsewhere: true }, { wanted: true, elsewhere: false }]);
  two.leave();
  assert.equal(one.state.elsewhere, false);
});

test('without channels between tabs, each plays', () => {
  const other = OtherTab({ onTaken: assert.fail, onChange: assert.fail }, null);
  other.update({ wanted: true });
  other.leave();
});

test('a paused page says why', () => {
  assert.equal(Words.playerStatus(t, INITIAL), 'Paused');
  assert.equal(Words.playerStatus(t, INITIAL, 'asleep'), 'Asleep');
  assert.equal(Words.lead(t, INITIAL, 'Drift', 'asleep'), 'Drift is asleep');
  assert.equal(Words.lead(t, { ...INITIAL, phase: 'connecting' }, 'Drift', 'asleep'), 'On air now on Drift');
  assert.equal(Words.untitled(t, INITIAL), 'Press play');
  assert.match(Words.playerStatus(t, INITIAL, 'asleep', true), /^Another tab plays already/);
});

/** Requests from a page that listens to `here.station`; `sent` tells what went out, `release` refuses the last one. */
function requests() {
  const state = { steering: Steer.NO_REQUEST };
  const here = { station: 'piano' };
  const ask = SteeringRequests({ state, change: (next) => Object.assign(state, next), tuned: () => here.station, lagS: () => 0 });
  const sent = [];
  const waiting = [];
  const turn = () => new Promise((done) => setTimeout(done));
  return {
    here,
    sent,
    turn,
    ask: (prompt, token = '') =>
      ask({ prompt, token }, (to) => {
        sent.push(`${prompt || 'undo'} at ${to}${token && ` with ${token}`}`);
        return new Promise((_, fail) => waiting.push(() => fail(new Error('no answer'))));
      }),
    release: () => {
      waiting.at(-1)();
      return turn();
    },
  };
}

test('requests follow one another, each to the station it was made for, and the same request is sent once', async () => {
  const { here, sent, turn, ask, release } = requests();
  ask('rain');
  ask('rain');
  ask('sun');
  here.station = 'guitar';
  ask('');
  await turn();
  assert.deepEqual(sent, ['rain at piano']);
  for (const count of [2, 3]) {
    await release();
    assert.equal(sent.length, count);
  }
  assert.deepEqual(sent, ['rain at piano', 'sun at piano', 'undo at guitar']);
  ask('rain');
  await release();
  assert.equal(sent.at(-1), 'rain at guitar');
});

test('the same words are another request with a token, at another station, or after undo', async () => {
  const { here, sent, turn, ask, release } = requests();
  ask('rain');
  ask('rain', 'sesame'); // typed while the refusal was under way
  ask('rain', 'sesame');
  here.station = 'guitar';
  ask('rain', 'sesame');
  ask('', 'sesame');
  ask('rain', 'sesame');
  await turn();
  for (let count = 1; count < 5; count++) await release();
  const guitar = ['rain', 'undo', 'rain'].map((words) => `${words} at guitar with sesame`);
  assert.deepEqual(sent, ['rain at piano', 'rain at piano with sesame', ...guitar]);
});
