/** The visitor's jobs and their results: a queue while they are made, a gallery afterwards. Cards are updated in place. */

import { emit } from '../shared/emit.js';
import { changedFields, curlLine, fileName, jsonOf } from './repeat-lines.js';
import { canRetry, imageOf, isActive, soundOf, titleOf } from './job-state.js';
import { amount, lasting } from './wording.js';

/**
 * @param {HTMLElement} el @param {(key: string, values?: object) => string} t
 * @param {{fileUrl: (value: string) => string}} api
 */
export function JobList(el, t, api) {
  const list = el.querySelector('.list');
  const template = el.querySelector('template').content.firstElementChild;
  const cards = new Map();
  const taskName = (task) => t.or(`task.${task}`, task);

  el.addEventListener('click', (event) => {
    const button = event.target.closest('button[name]');
    const id = event.target.closest('.job')?.dataset.id;
    if (!button || !id) return;
    if (button.name === 'copy') void copy(button);
    else emit(el, 'job-action', { id, action: button.name });
  });

  async function copy(button) {
    const text = button.parentElement.querySelector('textarea');
    text.select();
    let done = true;
    try {
      await navigator.clipboard.writeText(text.value);
    } catch {
      done = Boolean(document.execCommand?.('copy'));
    }
    button.textContent = t(done ? 'job.copied' : 'job.copy-selected');
  }

  function card(job) {
    const made = template.cloneNode(true);
    made.dataset.id = job.id;
    translateInside(made, t);
    return { el: made, drawn: '' };
  }

  /** What stands beside the buttons. */
  function statusOf(job) {
    const name = taskName(job.task);
    switch (job.state) {
      case 'waiting':
        return t('job.waiting', { task: name, place: job.place || 1 });
      case 'working': {
        const left = job.left_s === null ? '' : t('job.left', { left: lasting(job.left_s, t) });
        const share = job.share > 0 ? t('job.share', { percent: Math.floor(job.share * 100) }) : t('job.loading');
        return [t('job.working', { task: name }), share, left].filter(Boolean).join(' ');
      }
      case 'done':
        return job.task === 'upload' ? t('job.uploaded') : t('job.done', { task: name, took: lasting(job.took_s ?? 0, t) });
      case 'cancelled':
        return t('job.cancelled', { task: name });
      default:
        return t('job.failed', { task: name, why: job.error?.message ?? '' });
    }
  }

  function draw({ el: made }, job, studio) {
    const find = (selector) => made.querySelector(selector);
    made.dataset.state = job.state;
    const title = titleOf(job, taskName);
    find('.title').textContent = title;
    find('.status').textContent = statusOf(job);
    const bar = find('.bar');
    bar.hidden = !isActive(job);
    bar.setAttribute('aria-label', t('job.progress', { title }));
    if (job.state === 'working' && job.share > 0) bar.value = job.share;
    else bar.removeAttribute('value');
    const [sound, image] = [soundOf(job), imageOf(job)];
    const shows = {
      cancel: isActive(job),
      retry: canRetry(job),
      again: job.task !== 'upload',
      paint: Boolean(image),
      'compare-a': Boolean(sound),
      'compare-b': Boolean(sound),
      pin: job.state === 'done',
      remove: !isActive(job),
    };
    for (const [name, shown] of Object.entries(shows)) {
      const button = find(`[name="${name}"]`);
      button.hidden = !shown;
      button.title = t(`job.${name}-help`, { title });
      if (name.startsWith('compare-')) button.setAttribute('aria-label', button.title);
    }
    const pin = find('[name="pin"]');
    pin.setAttribute('aria-pressed', String(job.pinned));
    drawResults(find('.results'), job, sound, image);
    drawRepeat(find('.repeat'), job, studio);
  }

  function drawResults(box, job, sound, image) {
    const names = job.results.map(({ name }) => name).join('/');
    if (box.dataset.names === names) return;
    box.dataset.names = names;
    const title = titleOf(job, taskName);
    const url = (result) => api.fileUrl(`${job.id}/${result.name}`);
    const parts = [];
    if (image) {
      const picture = Object.assign(new Image(), { src: url(image), alt: t('job.picture', { title }), loading: 'lazy', decoding: 'async', className: 'picture' });
      parts.push(picture);
    }
    const sounds = job.results.filter(({ kind }) => kind === 'audio');
    for (const one of sounds) {
      const audio = Object.assign(document.createElement('audio'), { controls: true, preload: 'none', src: url(one) });
      audio.setAttribute('aria-label', sounds.length > 1 ? `${title}: ${one.name}` : title);
      if (sounds.length > 1) {
        const name = Object.assign(document.createElement('p'), { className: 'part', textContent: one.name });
        parts.push(name);
      }
      parts.push(audio);
    }
    const files = Object.assign(document.createElement('p'), { className: 'files' });
    for (const one of job.results) {
      const file = fileName({ title, name: one.name, seed: job.fields.seed });
      const link = Object.assign(document.createElement('a'), { href: url(one), download: file, className: 'pill', textContent: `${one.name} (${amount(one.bytes, t)})` });
      files.append(link, ' ');
    }
    if (job.results.length) parts.push(files);
    box.replaceChildren(...parts);
  }

  function drawRepeat(box, job, { schemas, base, needsToken }) {
    box.hidden = job.task === 'upload' || !(job.task in schemas);
    if (box.hidden || box.dataset.drawn) return;
    box.dataset.drawn = 'yes';
    const fields = changedFields(job.fields, schemas[job.task]);
    const sound = soundOf(job);
    const file = fileName({ title: titleOf(job, taskName), name: sound?.name ?? `clip.${job.fields.format ?? 'mp3'}`, seed: job.fields.seed });
    const lines = {
      json: jsonOf({ task: job.task, fields }),
      curl: curlLine({ base, task: job.task, fields, file, withToken: needsToken }),
      python: job.python.trim(),
    };
    for (const [kind, line] of Object.entries(lines)) {
      const text = box.querySelector(`.line.-${kind}`);
      text.value = line;
      text.rows = Math.min(12, line.split('\n').length + 1);
      text.setAttribute('aria-label', t(`job.${kind}`));
    }
  }

  return {
    /**
     * @param {import('./job-state.js').Job[]} jobs
     * @param {{schemas: Record<string, object>, base: string, needsToken: boolean}} studio
     */
    update(jobs, studio) {
      el.querySelector('.empty').hidden = jobs.length > 0;
      const ids = new Set(jobs.map(({ id }) => id));
      for (const [id, { el: made }] of cards) {
        if (ids.has(id)) continue;
        made.remove();
        cards.delete(id);
      }
      let before = null;
      for (const job of jobs) {
        if (!cards.has(job.id)) cards.set(job.id, card(job));
        const one = cards.get(job.id);
        const seen = JSON.stringify(job, (_, value) => (typeof value === 'bigint' ? String(value) : value));
        if (one.drawn !== seen) {
          draw(one, job, studio);
          one.drawn = seen;
        }
        const place = before ? before.nextSibling : list.firstChild;
        if (place !== one.el) list.insertBefore(one.el, place);
        before = one.el;
      }
    },
  };
}

function translateInside(root, t) {
  for (const part of root.querySelectorAll('[data-t]')) part.textContent = t(part.dataset.t);
}
