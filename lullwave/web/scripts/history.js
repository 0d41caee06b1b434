/** What was played lately, and a way to hear it again. */

import { ago, facts } from './wording.js';
import { wish } from './wish.js';

/** @param {HTMLElement} el */
export function History(el) {
  const list = el.querySelector('.list');
  let shown = '';

  list.addEventListener('click', (event) => {
    const button = event.target.closest('.again');
    if (button) wish(el, 'play-clip', { url: button.dataset.url, title: button.dataset.title });
  });

  return {
    /** @param {{past: {title: string, agoS: number, url: string | null}[], clip: {url: string} | null}} next */
    update({ past, clip }) {
      el.hidden = past.length === 0;
      const key = JSON.stringify([past, clip?.url]);
      if (key === shown) return;
      shown = key;
      list.replaceChildren(...past.map((piece) => row(piece, piece.url !== null && piece.url === clip?.url)));
    },
  };
}

function row(piece, isPlaying) {
  const item = document.createElement('li');
  item.innerHTML = /* html */ `
    <span class="words"><span class="name"></span><span class="about"></span></span>
    <button type="button" class="again pill">Play again</button>`;
  item.querySelector('.name').textContent = piece.title;
  item.querySelector('.about').textContent = [ago(piece.agoS), ...facts(piece)].join(' · ');
  const again = item.querySelector('.again');
  again.hidden = piece.url === null;
  again.dataset.url = piece.url ?? '';
  again.dataset.title = piece.title;
  again.setAttribute('aria-label', `Play ${piece.title} again`);
  again.textContent = isPlaying ? 'Playing' : 'Play again';
  return item;
}
