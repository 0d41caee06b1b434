/** The requests that wait at a station, or the prompts that are voted on; a click on one votes for it. */

import { emit } from '../shared/emit.js';

/** @param {HTMLElement} el @param {ReturnType<import('../shared/strings.js').translator>} t */
export function RequestQueue(el, t) {
  const heading = el.querySelector('.title');
  const list = el.querySelector('.list');
  let shown = '';

  list.addEventListener('click', (event) => {
    const vote = event.target.closest('.vote');
    if (vote) emit(el, 'steer', { prompt: vote.dataset.prompt, token: '' });
  });

  return {
    /** @param {{queue: import('./steering-state.js').Queue | null}} next */
    update({ queue }) {
      const votes = Object.entries(queue?.votes ?? {});
      const waiting = queue?.waiting ?? [];
      el.hidden = votes.length + waiting.length === 0;
      const key = JSON.stringify([votes, waiting]);
      if (key === shown) return;
      shown = key;
      heading.textContent = t(votes.length ? 'queue.vote' : 'queue.waiting');
      list.replaceChildren(...votes.map((vote) => ballot(t, vote)), ...waiting.map((request) => turn(t, request)));
    },
  };
}

function ballot(t, [prompt, count]) {
  const item = document.createElement('li');
  const vote = document.createElement('button');
  vote.type = 'button';
  vote.className = 'vote pill';
  vote.dataset.prompt = prompt;
  vote.textContent = `${prompt} · ${count}`;
  vote.setAttribute('aria-label', t('queue.vote-for', { prompt, count }));
  item.append(vote);
  return item;
}

function turn(t, { prompt, undo }) {
  const item = document.createElement('li');
  item.className = 'turn';
  item.textContent = undo ? t('steering.undo') : prompt;
  return item;
}
