import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HistoryFeed } from '../../lullwave/web/station/history-feed.js';

/** A feed whose server answers in turn with `replies`, and whose timers the test runs. */
function feeding(...replies) {
  const [asked, news, timers] = [[], [], []];
  const ask = async (station) => {
    asked.push(station);
    const reply = replies.length > 1 ? replies.shift() : replies[0];
    if (reply instanceof Error) throw reply;
    return reply;
  };
  const feed = HistoryFeed(ask, (one) => news.push(one), (run, ms) => timers.push({ run, ms }));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const hear = async (frame, station = 'piano') => {
    feed.update({ station, piece: frame === null ? null : { frame, title: `piece ${frame}` } });
    await settle();
  };
  const elapse = async () => {
    const { run, ms } = timers.shift();
    run();
    await settle();
    return ms;
  };
  return { asked, news, timers, hear, elapse };
}

const written = (...frames) => ({ kept: true, history: frames.map((frame) => ({ frame, title: `piece ${frame}` })) });
const notKept = { kept: false, history: [] };
const unavailable = Object.assign(new Error('503'), { status: 503 });

test('a piece is asked for once, and again until it is written down', async () => {
  const { asked, news, timers, hear, elapse } = feeding(written(), written(1), written(2, 1));
  await hear(1);
  await hear(1);
  assert.equal(await elapse(), 2000);
  assert.deepEqual([asked.length, timers.length, news.at(-1).history.length], [2, 0, 1]);
  await hear(2);
  assert.deepEqual([asked.length, timers.length, news.at(-1).history.length], [3, 0, 2]);
});

test('a piece that is never written is given up', async () => {
  const { asked, timers, hear, elapse } = feeding(written());
  await hear(1);
  while (timers.length) await elapse();
  assert.equal(asked.length, 5);
});

for (const [name, failure] of [['says that it is not kept', notKept], ['cannot be read', unavailable]]) {
  test(`a history that ${name} is asked for again every 20 seconds until it is kept`, async () => {
    const { asked, news, timers, hear, elapse } = feeding(failure, failure, written(1));
    await hear(1);
    assert.deepEqual([news.at(-1).kept, timers.length], [false, 1]);
    assert.equal(await elapse(), 20_000);
    assert.deepEqual([news.at(-1).kept, timers.length], [false, 1]);
    assert.equal(await elapse(), 20_000);
    assert.deepEqual([news.at(-1).kept, timers.length, asked.length], [true, 0, 3]);
  });
}

test('another failure is left to the next piece', async () => {
  const { news, timers, hear } = feeding(new Error('gone'), written(2));
  await hear(1);
  assert.deepEqual([news.length, timers.length], [0, 0]);
  await hear(2);
  assert.equal(news.at(-1).history[0].frame, 2);
});

test('what another station, or an earlier piece, was asked for is forgotten', async () => {
  const { asked, news, timers, hear, elapse } = feeding(notKept);
  await hear(1);
  await hear(1, 'guitar');
  assert.deepEqual(asked, ['piano', 'guitar']);
  await hear(null, 'piano');
  await hear(1);
  assert.deepEqual([asked.at(-1), asked.length, timers.length], ['piano', 3, 3]);
  await elapse();
  await elapse();
  assert.deepEqual([asked.length, news.length, timers.length], [3, 3, 1]);
});
