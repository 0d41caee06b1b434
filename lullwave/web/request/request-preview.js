/** What a request would mean to the station, before it is sent. */

import { sentence, understoodWords, withoutEffect } from '../radio/wording.js';

const PAUSE_MS = 500; // of typing, before the station is asked

/**
 * @param {HTMLElement} el
 * @param {HTMLInputElement} input the request
 * @param {(station: string, prompt: string) => Promise<{understood: any, recognised: boolean}>} ask
 * @param {ReturnType<import('../shared/strings.js').translator>} t
 */
export function RequestPreview(el, input, ask, t) {
  let station = null;
  let asked = '';
  let timer = 0;

  input.addEventListener('input', later);
  input.form.addEventListener('submit', () => {
    clearTimeout(timer);
    put(el, ''); // the answer takes its place
  });

  return {
    /** @param {{station: string | null, allowed: boolean}} next `allowed`: the station takes requests from this listener */
    update(next) {
      const wanted = next.allowed ? next.station : null;
      if (wanted !== station) {
        station = wanted;
        later();
      } else if (input.value.trim() !== asked && !input.value.trim()) later(); // it was sent
    },
  };

  function later() {
    clearTimeout(timer);
    asked = input.value.trim();
    if (!asked || !station) put(el, '');
    else timer = setTimeout(() => look(station, asked), PAUSE_MS);
  }

  async function look(at, prompt) {
    let words;
    try {
      const { understood, recognised } = await ask(at, prompt);
      const meant = recognised ? t('request.would-mean', { words: understoodWords(t, understood.text) }) : t('request.not-known');
      words = [meant, withoutEffect(t, { suggestions: {}, ...understood })].filter(Boolean).join(' · ');
    } catch (error) {
      words = sentence(error.message);
    }
    if (at === station && prompt === input.value.trim()) put(el, words);
  }
}

function put(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
