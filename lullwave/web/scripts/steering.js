/** The steering box: a wish in words, what the station made of it, and when it will be heard. */

import { heardIn, steeringPolicy } from './wording.js';
import { wish } from './wish.js';

/** @param {HTMLElement} el */
export function Steering(el) {
  const form = el.querySelector('.form');
  const input = el.querySelector('.input');
  const send = el.querySelector('.send');
  const blurb = el.querySelector('.blurb');
  const answer = el.querySelector('.answer');
  const part = (name) => answer.querySelector(`.${name}`);
  let shown = null;

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const prompt = input.value.trim();
    if (prompt) wish(el, 'steer', prompt);
    else input.focus();
  });
  el.querySelector('.ideas').addEventListener('click', (event) => {
    const idea = event.target.closest('.idea');
    if (!idea) return;
    input.value = idea.textContent.trim();
    input.focus();
  });

  return {
    /** @param {{steering: import('./steering-state.js').SteeringState, policy: string | null}} next */
    update({ steering, policy }) {
      el.hidden = policy === null;
      const words = steeringPolicy(policy);
      if (blurb.textContent !== words) blurb.textContent = words;
      if (steering === shown) return;
      if (steering.phase === 'waiting' && shown?.phase === 'sending') input.value = '';
      shown = steering;
      send.disabled = steering.phase === 'sending';
      answer.hidden = steering.phase === 'idle';
      answer.dataset.phase = steering.phase;
      answer.style.setProperty('--wait', `${steering.heardInS}s`);
      part('what').textContent = headline(steering);
      part('understood').textContent = steering.understood ? `Understood: ${steering.understood}` : '';
      part('ignored').textContent = steering.ignored.length ? `No effect: ${steering.ignored.join(', ')}` : '';
    },
  };
}

function headline({ phase, prompt, heardInS, problem }) {
  switch (phase) {
    case 'sending':
      return 'Asking the station…';
    case 'waiting':
      return heardIn(heardInS);
    case 'heard':
      return `Now playing: “${prompt}”`;
    case 'refused':
      return problem;
    default:
      return '';
  }
}
