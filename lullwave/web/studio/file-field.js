/** A field that holds a sound or an image: one of the visitor's results, or a file that is chosen or dropped. */

import { filesOf } from './job-state.js';

const ACCEPT = { audio: 'audio/*,.wav,.flac,.mp3,.ogg,.opus', image: 'image/png,image/jpeg,image/webp' };

/**
 * Makes the control of a field of the kind `file`: a list of the visitor's files, with a frame that takes dropped ones.
 *
 * @param {(key: string, values?: object) => string} t
 * @param {{jobs: () => import('./job-state.js').Job[], upload: (file: File) => Promise<string>, title: (job: object) => string}} files
 *   `upload` keeps a file and gives its value
 */
export function FileField(t, files) {
  const shown = new Set();

  /** @param {{name: string, holds: 'audio' | 'image', complain: (words: string) => void}} field */
  function control({ holds, complain }) {
    const select = document.createElement('select');
    const frame = document.createElement('div');
    const label = document.createElement('label');
    const chooser = Object.assign(document.createElement('input'), { type: 'file', accept: ACCEPT[holds], className: 'chooser' });
    const words = document.createElement('span');
    words.textContent = t(`file.drop-${holds}`);
    label.className = 'pick pill';
    label.append(words, chooser);
    frame.className = 'file-field';
    frame.append(select, label);
    select.frame = frame;
    fill(select, holds);
    shown.add({ select, holds });

    async function take(file) {
      if (!file) return;
      frame.dataset.busy = '';
      words.textContent = t('file.uploading', { name: file.name });
      try {
        const value = await files.upload(file);
        fill(select, holds, value);
        select.dispatchEvent(new Event('input', { bubbles: true }));
        select.dispatchEvent(new Event('change', { bubbles: true }));
      } catch (error) {
        complain(error.message);
      }
      delete frame.dataset.busy;
      words.textContent = t(`file.drop-${holds}`);
      chooser.value = '';
    }

    chooser.addEventListener('change', () => void take(chooser.files[0]));
    for (const kind of ['dragenter', 'dragover']) {
      frame.addEventListener(kind, (event) => {
        event.preventDefault();
        frame.dataset.over = '';
      });
    }
    for (const kind of ['dragleave', 'drop']) frame.addEventListener(kind, () => delete frame.dataset.over);
    frame.addEventListener('drop', (event) => {
      event.preventDefault();
      void take(event.dataTransfer.files[0]);
    });
    return select;
  }

  function fill(select, holds, chosen = select.value) {
    const found = filesOf(files.jobs(), holds);
    const options = found.map(({ job, result, value }) => {
      const title = files.title(job);
      return new Option(title === result.name ? title : `${title} (${result.name})`, value, false, value === chosen);
    });
    select.replaceChildren(new Option(t('file.none'), '', false, !chosen), ...options);
  }

  return {
    control,
    /** The visitor's files have changed. */
    update() {
      for (const one of shown) {
        if (one.select.isConnected) fill(one.select, one.holds);
        else shown.delete(one);
      }
    },
  };
}
