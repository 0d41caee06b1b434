/** The piece that is heard: title, tempo, key and the prompt that it was made from. */

import { facts } from '../radio/wording.js';

/** @param {HTMLElement} el @param {ReturnType<import('../shared/strings.js').translator>} t */
export function NowPlaying(el, t) {
  const lead = el.querySelector('.lead');
  const title = el.querySelector('.title');
  const chips = el.querySelector('.facts');
  const prompt = el.querySelector('.prompt');
  let shown = '';

  return {
    /** @param {{piece: any, prompt: string, lead: string, untitled: string}} next `untitled`: the title of a piece that has none */
    update(next) {
      const key = JSON.stringify([next.piece?.title, facts(t, next.piece), next.prompt, next.lead, next.untitled]);
      if (key === shown) return;
      shown = key;
      lead.textContent = next.lead;
      setText(title, next.piece?.title || next.untitled);
      chips.replaceChildren(...facts(t, next.piece).map(chip));
      prompt.textContent = next.prompt ? t('piece.prompt', { prompt: next.prompt }) : '';
    },
  };
}

function setText(el, text) {
  if (el.textContent === text) return;
  el.textContent = text;
  el.classList.remove('-fresh');
  void el.offsetWidth; // restarts the animation
  el.classList.add('-fresh');
}

function chip(text) {
  const item = document.createElement('li');
  item.textContent = text;
  return item;
}
