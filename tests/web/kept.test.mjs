import assert from 'node:assert/strict';
import { test } from 'node:test';

import { KeptPieces } from '../../lullwave/web/kept/kept-pieces.js';
import { clipOf, entryOf, formatsOf, keyOfJob, lengthOf, listOf, momentLink, momentOf, nameAs, sceneOf, tagsIn, tagsOf, wishesOf } from '../../lullwave/web/kept/kept-state.js';
import { begun, earlierOnTape, EMPTY_TAPE, nextOnTape, resumedOnTape, withTape } from '../../lullwave/web/kept/tape-state.js';
import { fadeOut } from '../../lullwave/web/player/audio-stream.js';
import { Preferences } from '../../lullwave/web/shared/preferences.js';
import { translator } from '../../lullwave/web/shared/strings.js';
import english from '../../lullwave/web/strings/en.js';

const RATE = 100;
const t = translator(english);
const piece = (run, frame, until, wall) => ({ kind: 'piece', run, frame, until, wall, title: `${run}/${frame}` });
const history = [
  piece(2, 9000, null, 290),
  { kind: 'steer', run: 2, frame: 100, until: null, wall: 201 },
  piece(2, 0, 9000, 200),
  piece(1, 500, null, 105), // its server was killed
  piece(1, 0, 500, 100),
];

test('a piece is as long as it was heard, and waits while it is on air', () => {
  assert.deepEqual([290, 200, 105, 100, 7].map((wall) => lengthOf(history, RATE, wall)), [null, 90, 95, 5, 0]);
  assert.equal(lengthOf([piece(1, 0, 90_000, 10)], RATE, 10), 300);
  assert.equal(entryOf(history, { frame: 9000, title: '2/9000' }).wall, 290);
  assert.equal(entryOf(history, { frame: 9000, title: 'another' }), null);
  assert.equal(entryOf(history, { wall: 5 }).wall, 5);
  assert.equal(entryOf(history, null), null);
});

const jobOf = (fields, more = {}) => ({ id: fields.at, task: 'moment', state: 'done', share: 1, results: [], fields, facts: {}, ...more });

test('a list that is saved is read again, and nothing else is', () => {
  const facts = { title: 'Blue Tape', prompt: 'piano', seed: 2n ** 60n };
  const list = listOf([jobOf({ station: 'piano', at: '200.5', seconds: 90, title: '' }, { facts })], { 'piano@200.5': ['night'] });
  assert.deepEqual(list.pieces[0], { title: 'Blue Tape', prompt: 'piano', seed: 2n ** 60n, station: 'piano', at: 200.5, seconds: 90, tags: ['night'] });
  assert.deepEqual(wishesOf(list, 300), [{ station: 'piano', wall: 200.5, seconds: 90, title: 'Blue Tape', tags: ['night'] }]);
  assert.equal(wishesOf(list, 100), null); // of the future
  const wrong = [null, 3, {}, { kind: list.kind }, { kind: list.kind, pieces: [null] }];
  for (const one of ['', 'nan', -1, 301]) wrong.push({ kind: list.kind, pieces: [{ ...list.pieces[0], seconds: one }] });
  for (const one of wrong) assert.equal(wishesOf(one, 300), null);
});

test('a link leads to the moment', () => {
  const moment = { station: 'night drive', wall: 1738361700.25, seconds: 164 };
  const link = momentLink('https://example.org/radio/?theme=dark#first', moment);
  assert.equal(link, 'https://example.org/radio/?station=night+drive&at=1738361700.25&seconds=164');
  assert.deepEqual(momentOf(new URL(link).search), moment);
  for (const search of ['', '?station=a', '?station=a&at=1', '?at=1&seconds=5', '?station=a&at=x&seconds=5']) {
    assert.equal(momentOf(search), null, search);
  }
});

test('a piece is shown as its prompt was understood, else as its station is, and named by its format', () => {
  const stations = [{ id: 'piano', scene: { place: 'forest', time: 'day', sounds: [], mood: 'calm' } }];
  const scene = { place: 'beach', time: 'night', sounds: ['waves'], mood: 'sleepy' };
  assert.deepEqual(sceneOf({ station: 'piano' }, { scene }, stations), scene);
  assert.equal(sceneOf({ station: 'piano' }, {}, stations).place, 'forest');
  assert.equal(sceneOf({ station: 'gone' }, {}, stations).place, 'city');
  assert.equal(nameAs({ results: [{ name: 'blue-tape-no-1.mp3' }] }, 'flac'), 'blue-tape-no-1.flac');
  assert.deepEqual([[], undefined, ['midi', 'stems']].map((writes) => formatsOf({ facts: { writes } })), [['flac'], ['flac'], ['flac', 'midi', 'stems']]);
});

test('the tape plays what is kept in its order, and begins again', () => {
  const kept = (at, state) => jobOf({ station: 'piano', at, seconds: 90, title: `No. ${at}` }, { state, results: [{ name: 'a.mp3' }] });
  const jobs = [kept('400', 'working'), kept('300', 'done'), kept('200', 'failed'), kept('100', 'done')];
  const url = (value) => `files/${value}`;
  const tags = { 'piano@300': ['night', 'rain'], 'piano@200': ['day'] };
  const next = (pieces, tape, clip) => nextOnTape({ pieces, tags }, { ...EMPTY_TAPE, ...tape }, clip, url);
  const first = next(jobs, {}, null);
  assert.deepEqual([first.wall, first.url, first.title, first.isOnTape], [100, 'files/100/a.mp3', 'No. 100', true]);
  const second = next(jobs, {}, first);
  assert.equal(second.wall, 300);
  assert.equal(next(jobs, {}, second).wall, 100);
  assert.equal(next([jobs[1]], {}, first).wall, 300); // what played was removed meanwhile
  assert.equal(next([jobs[0]], {}, null), null);
  assert.equal(next(jobs, { tag: 'rain' }, null).wall, 300);
  assert.equal(next(jobs, { tag: 'rain' }, second).wall, 300);
  assert.deepEqual(tagsOf(jobs, tags), ['day', 'night', 'rain']);
});

test('the tape is a station after the others, which remembers what it played and shuffles every piece once', () => {
  const jobs = [...'87654321'].map((at) => jobOf({ station: 'piano', at, seconds: 90, title: at }, { results: [{ name: 'a.mp3' }] }));
  const keeping = { pieces: jobs, tags: {} };
  const url = (value) => value;
  const round = (shuffle) => {
    const played = [null];
    for (const _ of jobs) played.push(nextOnTape(keeping, { ...EMPTY_TAPE, shuffle }, played.at(-1), url));
    return played.slice(1).map(({ wall }) => wall);
  };
  assert.deepEqual(round(null), [1, 2, 3, 4, 5, 6, 7, 8]);
  for (const seed of [1, 2]) assert.deepEqual([...round(seed)].sort(), round(null));
  assert.notDeepEqual(round(1), round(null));
  assert.notDeepEqual(round(1), round(2));

  const [one, two] = [nextOnTape(keeping, EMPTY_TAPE, null, url), { ...clipOf(jobs[3], url), isOnTape: true }];
  const tape = begun(begun(begun(EMPTY_TAPE, one, 10), two, 20), one, 30);
  assert.deepEqual(earlierOnTape(tape, one).map(({ wall, heardAt }) => [wall, heardAt]), [[two.wall, 20]]);
  assert.equal(resumedOnTape(keeping, tape, url).wall, one.wall);
  assert.equal(resumedOnTape({ ...keeping, pieces: jobs.slice(0, 7) }, tape, url).wall, 2); // it was removed meanwhile

  const stations = [{ id: 'piano', scene: { place: 'beach' } }];
  const [, own] = withTape(stations, keeping, EMPTY_TAPE, one, t);
  assert.deepEqual([own.id, own.name, own.scene.place, own.pieces], ['my-tape', 'My tape', 'beach', 8]);
  assert.equal(withTape(stations, { pieces: [], tags: {} }, EMPTY_TAPE, null, t), stations);
  const server = [{ id: 'my-tape' }];
  assert.equal(withTape(server, keeping, EMPTY_TAPE, one, t), server); // a station of that name comes first
  assert.deepEqual([0, 86, 88, 90].map((time) => fadeOut(time, 90)), [1, 1, 0.5, 0]);
  assert.equal(fadeOut(1e6, null), 1);
});

test('tags are a line of text, and stay in this browser until the list is read in another', async () => {
  assert.deepEqual(tagsIn(' Night,  slow  piano,night,, '), ['night', 'slow piano']);
  assert.deepEqual(tagsIn(''), []);
  assert.equal(tagsIn('x'.repeat(500))[0].length, 40);
  const one = bench();
  one.kept.tag('piano@200', ['night']);
  assert.deepEqual(bench({ memory: one.memory }).kept && one.told.keeping.tags, { 'piano@200': ['night'] });
  const list = listOf([jobOf({ station: 'piano', at: '200', seconds: 90, title: 'A' })], one.told.keeping.tags);
  const other = bench();
  await other.kept.add(wishesOf(list, 1e6));
  assert.deepEqual(other.told.keeping.tags, { 'piano@200': ['night'] });
  other.kept.tag('piano@200', []);
  assert.deepEqual(other.told.keeping.tags, {});
});

/** A server whose station plays `history`, a page that remembers, and a clock by hand. */
function bench({ mayMake = true, memory = new Map() } = {}) {
  const made = [];
  const later = [];
  const told = { keeping: null, history, refuse: null, removed: [], pinned: [] };
  const jobs = {
    list: async () => ({ jobs: [...made, { id: 'x', task: 'text' }], may_make: mayMake, most_pinned: 2, most_pinned_bytes: 1e6 }),
    create: async (task, fields) => {
      if (told.refuse) throw Object.assign(new Error('no'), told.refuse);
      made.unshift(jobOf(fields));
      return made[0];
    },
    pin: async (id) => void told.pinned.push(id),
    remove: async (id) => void made.splice(made.findIndex((job) => job.id === id), 1),
  };
  const storage = { getItem: (key) => memory.get(key) ?? null, setItem: (key, value) => memory.set(key, value) };
  const kept = KeptPieces({
    jobs,
    history: async () => ({ history: told.history, rate: RATE }),
    preferences: Preferences(storage),
    t,
    onNews: (keeping) => (told.keeping = keeping),
    after: (run) => later.push(run),
  });
  return { kept, told, made, memory, next: () => later.shift()?.() };
}

test('a piece on air waits, survives a reload, and is kept when it has ended', async () => {
  const first = bench();
  await first.kept.toggle({ station: 'piano', wall: 290, title: 'Now' });
  assert.deepEqual([first.made.length, first.told.keeping.waiting.length], [0, 1]);
  const second = bench({ memory: first.memory });
  second.told.history = [piece(2, 12000, null, 320), piece(2, 9000, 12000, 290)];
  await new Promise((done) => setImmediate(done));
  await second.next();
  assert.deepEqual(second.made.map(({ fields }) => fields), [{ station: 'piano', at: '290', seconds: 30, title: 'Now' }]);
  assert.deepEqual(second.told.pinned, ['290']);
  assert.deepEqual(second.told.keeping.waiting, []);
  assert.deepEqual(second.told.keeping.pieces.map(keyOfJob), ['piano@290']);
  await second.kept.toggle({ station: 'piano', wall: 290, title: 'Now' });
  assert.deepEqual([second.made.length, second.told.keeping.pieces.length], [0, 0]);
});

test('a busy server is asked again, a refusal is told, and who may not keep anything is told before', async () => {
  const { kept, told, made, next } = bench();
  told.refuse = { status: 429 };
  await kept.add([{ station: 'piano', wall: 200, title: 'A', seconds: 90 }, { station: 'piano', wall: 200, title: 'A', seconds: 90 }]);
  assert.equal(told.keeping.waiting.length, 1);
  told.refuse = null;
  await next();
  assert.deepEqual(made.map(keyOfJob), ['piano@200']);
  told.refuse = { status: 422, field: 'station' };
  await kept.add([{ station: 'attic', wall: 200, title: 'B', seconds: 90 }]);
  assert.deepEqual([told.keeping.waiting.length, told.keeping.problem], [0, 'no']);
  await kept.toggle({ station: 'piano', wall: 7, title: 'Gone' });
  assert.match(told.keeping.problem, /not in the history/);
  const closed = bench({ mayMake: false });
  await closed.kept.toggle({ station: 'piano', wall: 200, title: 'A' });
  assert.deepEqual([closed.told.keeping.mayKeep, closed.told.keeping.waiting.length], [false, 0]);
});
