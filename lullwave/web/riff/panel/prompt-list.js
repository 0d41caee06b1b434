/** The prompts that were, are and will be heard; moves with the music, and each can be jumped to. */

import { emit } from '../../shared/emit.js';

/** @param {HTMLElement} el @param {import('../wording.js').Translator} t */
export function PromptList(el, t) {
  const list = el.querySelector('.list');
  const rows = new Map(); // by the id of the entry
  let current = null;

  list.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    const id = Number(button.closest('.entry').dataset.id);
    if (button.classList.contains('remove')) {
      const next = button.closest('.entry').nextElementSibling ?? button.closest('.entry').previousElementSibling;
      emit(el, 'remove-prompt', id);
      next?.querySelector('.go')?.focus();
    } else emit(el, 'jump-prompt', id);
  });

  return {
    /** @param {{entries: {id: number, prompt: string}[], heard: number, toward: number, share: number}} next by ids */
    update({ entries, heard, toward, share }) {
      const here = entries.findIndex(({ id }) => id === heard);
      for (const [id, row] of rows) {
        if (entries.some((entry) => entry.id === id)) continue;
        row.remove();
        rows.delete(id);
      }
      entries.forEach((entry, n) => {
        if (!rows.has(entry.id)) rows.set(entry.id, rowOf(entry, t));
        const row = rows.get(entry.id);
        if (list.children[n] !== row) list.insertBefore(row, list.children[n] ?? null);
        show(row, n < here ? 'past' : n === here ? 'now' : 'coming', entry.id === toward && toward !== heard ? share : 0);
      });
      if (heard !== current) {
        current = heard;
        reveal(rows.get(heard));
      }
    },
  };

  function show(row, when, share) {
    if (row.dataset.when !== when) {
      row.dataset.when = when;
      row.classList.toggle('-past', when === 'past');
      row.toggleAttribute('aria-current', when === 'now');
      if (when === 'now') row.setAttribute('aria-current', 'true');
      row.querySelector('.when').textContent = t(`riff.${when}`);
      row.querySelector('.remove').hidden = when !== 'coming';
    }
    row.querySelector('.way').style.setProperty('--share', share.toFixed(3));
  }

  /** Scrolls the list alone, and not the page as `scrollIntoView` would. */
  function reveal(row) {
    if (!row || list.matches(':focus-within')) return;
    list.scrollTop = row.offsetTop - list.offsetTop - list.clientHeight / 3;
  }
}

function rowOf({ id, prompt }, t) {
  const row = document.createElement('li');
  row.className = 'entry';
  row.dataset.id = String(id);
  row.innerHTML = /* html */ `
    <button type="button" class="go"><span class="when"></span><span class="words"></span></button>
    <button type="button" class="remove" hidden><span aria-hidden="true">×</span></button>
    <span class="way" aria-hidden="true"></span>`;
  row.querySelector('.words').textContent = prompt;
  row.querySelector('.go').setAttribute('aria-label', t('riff.go', { prompt }));
  row.querySelector('.remove').setAttribute('aria-label', t('riff.remove', { prompt }));
  return row;
}
