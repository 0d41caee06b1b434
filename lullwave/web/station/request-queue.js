/** The requests that wait at a station, or the prompts that are voted on; a click on one votes for it. */

import { emit } from '../shared/emit.js';

/** @param {HTMLElement} el */
export function RequestQueue(el) {
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
      heading.textContent = votes.length ? 'Vote' : 'Waiting requests';
      list.replaceChildren(...votes.map(ballot), ...waiting.map(turn));
    },
  };
}

function ballot([prompt, count]) {
  const item = document.createElement('li');
  const vote = document.createElement('button');
  vote.type = 'button';
  vote.className = 'vote pill';
  vote.dataset.prompt = prompt;
  vote.textContent = `${prompt} · ${count}`;
  vote.setAttribute('aria-label', `Vote for ${prompt}, ${count} so far`);
  item.append(vote);
  return item;
}

function turn({ prompt, undo }) {
  const item = document.createElement('li');
  item.className = 'turn';
  item.textContent = undo ? 'Undo the last change' : prompt;
  return item;
}
