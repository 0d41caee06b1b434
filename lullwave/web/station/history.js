/** What was played lately, and a way to hear it again. A piece of the visitor's tape tells when it was heard there. */

import { ago, facts } from '../radio/wording.js';
import { emit } from '../shared/emit.js';
import { heart, showHeart } from '../kept/keep-button.js';

/** @param {HTMLElement} el @param {(key: string, values?: object) => string} t */
export function History(el, t) {
  const list = el.querySelector('.list');
  const note = el.querySelector('.blurb');
  let shown = [];
  let shape = '';

  list.addEventListener('click', (event) => {
    const row = event.target.closest('button')?.closest('li');
    if (!row) return;
    if (event.target.closest('.keep-button')) emit(el, 'keep', shown[[...list.children].indexOf(row)]);
    else if (row.classList.contains('-playing')) emit(el, 'play');
    else emit(el, 'play-again', shown[[...list.children].indexOf(row)]);
  });

  return {
    /**
     * @param {{past: import('./past-pieces.js').PastPiece[], clip: {wall: number} | null, kept: boolean,
     *   isKept: (piece: {wall: number}) => boolean}} next
     */
    update({ past, clip, kept, isKept }) {
      el.hidden = past.length === 0 && kept;
      note.hidden = kept;
      shown = past;
      const key = past.map((piece) => piece.wall).join(' ');
      if (key !== shape) {
        shape = key;
        list.replaceChildren(...past.map(row));
      }
      for (const [index, piece] of past.entries()) {
        show(t, list.children[index], piece, piece.wall === clip?.wall);
        showHeart(list.children[index].querySelector('.keep-button'), { isKept: isKept(piece), title: piece.title }, t);
      }
    },
  };
}

function row({ title }) {
  const item = document.createElement('li');
  item.innerHTML = /* html */ `
    <span class="words"><span class="name"></span><span class="about"></span></span>
    <button type="button" class="again pill"></button>`;
  item.querySelector('.name').textContent = title;
  item.querySelector('.again').before(heart());
  return item;
}

function show(t, item, piece, isPlaying) {
  const about = [ago(t, Date.now() / 1000 - (piece.heardAt ?? piece.wall)), ...facts(t, piece)].join(' · ');
  const again = item.querySelector('.again');
  const label = isPlaying ? t('history.live') : t('history.again-label', { title: piece.title });
  if (item.querySelector('.about').textContent !== about) item.querySelector('.about').textContent = about;
  if (again.getAttribute('aria-label') === label) return;
  item.classList.toggle('-playing', isPlaying);
  again.textContent = t(isPlaying ? 'history.live' : 'history.again');
  again.setAttribute('aria-label', label);
}
