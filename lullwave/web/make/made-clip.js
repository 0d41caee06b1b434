/** The clip that is being made, or was: how far it is, its sound, its file, and the line that makes it again. */

import { amount, madeWords, progressWords } from './clip-wording.js';
import { emit } from '../shared/emit.js';

/** @param {HTMLElement} el */
export function MadeClip(el) {
  const find = (selector) => el.querySelector(selector);
  const sound = find('.sound');
  const line = find('.line');
  const copy = find('.copy');
  let url = '';

  find('.keep').addEventListener('click', () => emit(el, 'keep-seed'));
  copy.addEventListener('click', async () => {
    line.select();
    copy.textContent = (await copied(line.value)) ? 'Copied' : 'Selected. Copy it now.';
  });

  function phase(name, words) {
    el.dataset.phase = name;
    find('.what').textContent = words;
    find('.progress').hidden = name !== 'making';
    find('.far').hidden = name !== 'making';
  }

  return {
    begin() {
      phase('making', 'Your clip is being made…');
      find('.result').hidden = true;
      sound.pause();
      el.scrollIntoView({ block: 'nearest' });
    },
    /** @param {Parameters<typeof progressWords>[0]} made */
    progress(made) {
      const bar = find('.progress');
      if (made.share === null || made.bytes === 0) bar.removeAttribute('value');
      else bar.value = made.share;
      find('.far').textContent = progressWords(made);
    },
    /** @param {{blob: Blob, file: string, curl: string, elapsedS: number, request: object}} made */
    done({ blob, file, curl, elapsedS, request }) {
      if (url) URL.revokeObjectURL(url);
      url = URL.createObjectURL(blob);
      sound.src = url;
      Object.assign(find('.download'), { href: url, download: file, textContent: `Download ${amount(blob.size)}`, title: file });
      find('.about').textContent = madeWords({ bytes: blob.size, elapsedS, request });
      line.value = curl;
      copy.textContent = 'Copy';
      find('.result').hidden = false;
      phase('done', request.prompt ? `“${request.prompt}” is ready.` : 'Your clip is ready.');
      el.scrollIntoView({ block: 'nearest' });
    },
    /** @param {string} words why there is no new clip; the last one, if any, is there again */
    stop(words) {
      phase('stopped', words);
      find('.result').hidden = !url;
    },
  };
}

/** Browsers let pages on plain HTTP copy only in the old way. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return Boolean(document.execCommand?.('copy'));
  }
}
