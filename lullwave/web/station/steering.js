/** The steering box: a request in words, what the station understood, when it will be heard, and the ways back. */

import { steeringAnswer, steeringPolicy, understoodWords, withoutEffect } from '../radio/wording.js';
import { emit } from '../shared/emit.js';

/** @param {HTMLElement} el @param {ReturnType<import('../shared/strings.js').translator>} t */
export function Steering(el, t) {
  const find = (selector) => el.querySelector(selector);
  const input = find('.input');
  const token = find('.token');
  const answer = find('.answer');
  let shown = null;

  find('.form').addEventListener('submit', (event) => {
    event.preventDefault();
    const prompt = input.value.trim();
    if (prompt) emit(el, 'steer', { prompt, token: token.querySelector('input').value });
    else input.focus();
  });
  find('.ideas').addEventListener('click', (event) => {
    if (!event.target.closest('.idea')) return;
    input.value = event.target.closest('.idea').textContent.trim();
    input.focus();
  });
  for (const name of ['undo', 'own-programme']) {
    find(`.${name}`).addEventListener('click', () => emit(el, name, { token: token.querySelector('input').value }));
  }

  /** Show a button or hide it; the keyboard's place moves on from one that goes. */
  function offer(button, offered) {
    if (!offered && button === document.activeElement) input.focus();
    button.hidden = !offered;
  }

  return {
    /**
     * @param {{steering: import('./steering-state.js').SteeringState, policy: string | null, frozen: boolean, canUndo: boolean,
     *   steered: boolean, maySteer: boolean}} next `maySteer`: without a token
     */
    update({ steering, policy, frozen, canUndo, steered, maySteer }) {
      el.hidden = policy === null;
      put(find('.blurb'), steeringPolicy(t, policy, frozen, maySteer));
      if (!maySteer) token.hidden = false;
      offer(find('.undo'), canUndo && !frozen);
      offer(find('.own-programme'), steered && !frozen);
      if (steering === shown) return;
      const done = ['turning', 'queued', 'voted'].includes(steering.phase);
      if (done && shown?.phase === 'sending' && input.value.trim() === shown.prompt) input.value = '';
      answer.setAttribute('aria-live', steering.phase === shown?.phase ? 'off' : 'polite'); // the countdown is for eyes
      shown = steering;
      if (steering.wantsToken) token.hidden = false;
      answer.hidden = steering.phase === 'idle';
      answer.dataset.phase = steering.phase;
      answer.style.setProperty('--wait', `${steering.waitS}s`);
      put(find('.what'), steeringAnswer(t, steering));
      put(find('.understood'), steering.understood ? t('steering.understood', { words: understoodWords(t, steering.understood) }) : '');
      put(find('.ignored'), withoutEffect(t, steering));
    },
  };
}

function put(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
