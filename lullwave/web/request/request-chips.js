/** Words to choose a request from, by kind, as the station's engine knows them; and a surprise. */

import { has, surprise, toggled } from './request-words.js';

/**
 * @param {HTMLElement} el
 * @param {HTMLInputElement} input the request
 * @param {(station: string) => Promise<import('./request-words.js').Vocabulary>} ask
 * @param {ReturnType<import('../shared/strings.js').translator>} t
 */
export function RequestChips(el, input, ask, t) {
  const kinds = el.querySelector('.kinds');
  const words = el.querySelector('.words');
  let station = null;
  let vocabulary = {};
  let open = '';

  el.querySelector('.surprise').addEventListener('click', () => write(surprise(vocabulary, Math.random)));
  kinds.addEventListener('click', ({ target }) => {
    const kind = target.closest('.kind')?.dataset.kind;
    if (!kind) return;
    open = open === kind ? '' : kind;
    show();
  });
  words.addEventListener('click', ({ target }) => {
    const word = target.closest('.word')?.textContent;
    if (word) write(toggled(input.value, word));
  });
  input.addEventListener('input', mark);

  return {
    /** @param {{station: string | null}} next */
    update(next) {
      if (next.station === station) return;
      station = next.station;
      vocabulary = {};
      show();
      if (station) void learn(station);
    },
  };

  async function learn(asked) {
    try {
      const known = await ask(asked);
      if (asked !== station) return;
      vocabulary = Object.fromEntries(Object.entries(known).map(([kind, listed]) => [kind, listed.map((word) => t.or(`word.${word}`, word))]));
      show();
    } catch {
      // Without them, requests are typed.
    }
  }

  /** The input tells everybody who follows it, as if it had been typed. */
  function write(text) {
    input.value = text;
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }

  function show() {
    const offered = Object.keys(vocabulary).filter((kind) => vocabulary[kind].length);
    el.hidden = offered.length === 0;
    if (!offered.includes(open)) open = '';
    if (offered.join() !== [...kinds.children].map((item) => item.firstChild.dataset.kind).join()) {
      kinds.replaceChildren(...offered.map((kind) => item('kind', t.or(`request.${kind}`, kind), { kind })));
    }
    for (const { firstChild } of kinds.children) firstChild.setAttribute('aria-expanded', String(firstChild.dataset.kind === open));
    words.hidden = open === '';
    words.setAttribute('aria-label', open && t.or(`request.${open}`, open));
    words.replaceChildren(...(vocabulary[open] ?? []).map((word) => item('word', word)));
    mark();
  }

  function mark() {
    for (const { firstChild } of words.children) {
      firstChild.setAttribute('aria-pressed', String(has(input.value, firstChild.textContent)));
    }
  }
}

function item(kind, text, data = {}) {
  const row = document.createElement('li');
  const button = document.createElement('button');
  Object.assign(button, { type: 'button', className: `${kind} pill`, textContent: text });
  Object.assign(button.dataset, data);
  row.append(button);
  return row;
}
