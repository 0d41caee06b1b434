import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as Private from '../../lullwave/web/station/private-state.js';
import { steeringPolicy } from '../../lullwave/web/radio/wording.js';
import { translator } from '../../lullwave/web/shared/strings.js';
import english from '../../lullwave/web/strings/en.js';

const t = translator(english);
const REPLY = { id: '5f'.repeat(16), name: 'First light', continues: true };

test('the page listens to the private stream while there is one', () => {
  assert.equal(Private.tuned(Private.SHARED, 'first'), 'first');
  assert.equal(Private.tuned(Private.asking(), 'first'), 'first');
  assert.equal(Private.tuned(Private.begun(REPLY), 'first'), REPLY.id);
  assert.equal(Private.tuned(Private.ended('gone'), 'first'), 'first');
  assert.equal(Private.tuned(Private.refused(new Error('too many')), 'first'), 'first');
});

test('what is learned about it stays with it', () => {
  const known = Private.learned(Private.begun(REPLY), { state: 'on air' });
  assert.deepEqual(known.stream, { ...REPLY, state: 'on air' });
  assert.equal(Private.SHARED.stream, null);
});

test('each state says who hears it, and what the button does', () => {
  assert.deepEqual(Private.shownAs(Private.SHARED, t), { said: '', button: 'Just for me', isPrivate: false, busy: false });
  assert.equal(Private.shownAs(Private.asking(), t).busy, true);
  const own = Private.shownAs(Private.begun(REPLY), t);
  assert.match(own.said, /^Only you hear this/);
  assert.deepEqual([own.button, own.isPrivate], ['Back to everyone', true]);
  const anew = Private.shownAs(Private.begun({ ...REPLY, continues: false }), t);
  assert.match(anew.said, /new stream of the same words/);
  assert.doesNotMatch(own.said, /new stream/);
  assert.match(Private.shownAs(Private.refused(new Error('the server is full')), t).said, /the server is full/);
  for (const reason of ['busy', 'paused', 'gone']) {
    assert.match(Private.shownAs(Private.ended(reason), t).said, /You hear what everyone hears again/);
  }
});

test('steering a private stream is said to change nothing for others', () => {
  assert.match(steeringPolicy(t, 'private'), /for you alone/);
  assert.match(steeringPolicy(t, 'everyone'), /for everyone/);
});
