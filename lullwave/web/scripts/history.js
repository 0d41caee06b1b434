/** What was played lately. */

import { ago, facts } from './wording.js';

/** @param {HTMLElement} el */
export function History(el) {
  const list = el.querySelector('.list');
  let shape = '';

  return {
    /** @param {{past: {title: string, frame: number, agoS: number}[]}} next */
    update({ past }) {
      el.hidden = past.length === 0;
      const key = past.map((piece) => piece.frame).join(' ');
      if (key !== shape) {
        shape = key;
        list.replaceChildren(...past.map(row));
      }
      for (const [index, piece] of past.entries()) {
        const about = [ago(piece.agoS), ...facts(piece)].join(' · ');
        const target = list.children[index].querySelector('.about');
        if (target.textContent !== about) target.textContent = about;
      }
    },
  };
}

function row({ title }) {
  const item = document.createElement('li');
  item.innerHTML = /* html */ '<span class="words"><span class="name"></span><span class="about"></span></span>';
  item.querySelector('.name').textContent = title;
  return item;
}
