/** The list of kept pieces: their pictures, play, download, copy the link, remove; export and import. */

import { ago, sentence } from '../radio/wording.js';
import { Picture } from '../landscape/picture.js';
import { emit } from '../shared/emit.js';
import { isDark } from '../shared/theme.js';
import { NOTHING_KEPT } from './kept-pieces.js';
import * as State from './kept-state.js';
import { clipOf, keyOf, keyOfJob, momentOfJob, titleOf } from './kept-state.js';
import { jsonOf } from '../studio/repeat-lines.js';

/** What is made of a piece when somebody wants it, and the ending of its file. */
const RENDERED = new Map([
  ['flac', 'flac'],
  ['midi', 'mid'],
  ['stems', 'zip'],
]);

/**
 * @param {HTMLElement} el
 * @param {(key: string, values?: object) => string} t
 * @param {(value: string) => string} fileUrl where the file of a job is
 * @param {(station: string, piece: {wall: number, seconds: number}, format: string) => Promise<Blob>} replayed
 */
export function Kept(el, t, fileUrl, replayed) {
  const find = (selector) => el.querySelector(selector);
  const list = find('.list');
  let keeping = NOTHING_KEPT;
  let known = []; // stations
  let tag = ''; // only pieces with it are shown
  let shape = '';
  let pictures = []; // of the rows, each with what it shows

  list.addEventListener('click', (event) => {
    const action = event.target.closest('[data-do]')?.dataset.do;
    const row = event.target.closest('li');
    if (!action || !row) return;
    const job = keeping.pieces.find(({ id }) => id === row.dataset.id);
    if (action === 'play') emit(el, 'play-again', clipOf(job, fileUrl));
    if (action === 'copy') void copy(event.target, job);
    if (RENDERED.has(action)) void render(event.target, job, action);
    if (action === 'forget') emit(el, 'forget-kept', job);
    if (action === 'cancel') emit(el, 'keep', { station: row.dataset.station, wall: Number(row.dataset.wall) });
  });
  list.addEventListener('change', ({ target }) => {
    const job = keeping.pieces.find(({ id }) => id === target.closest('li').dataset.id);
    emit(el, 'tag-kept', { key: keyOfJob(job), tags: State.tagsIn(target.value) });
  });
  find('.by-tag').addEventListener('click', ({ target }) => {
    if (!target.closest('button')) return;
    tag = target.value === tag ? '' : target.value;
    update(keeping, known, find('.shuffle').getAttribute('aria-pressed') === 'true');
  });
  find('.tape').addEventListener('click', () => emit(el, 'play-tape', tag));
  find('.shuffle').addEventListener('click', () => emit(el, 'set-shuffles', find('.shuffle').getAttribute('aria-pressed') !== 'true'));
  find('.export').addEventListener('click', () => {
    save(new Blob([jsonOf(State.listOf(keeping.pieces, keeping.tags))], { type: 'application/json' }), 'lullwave-kept.json');
  });
  find('.import').addEventListener('change', async ({ target }) => {
    const text = await target.files[0]?.text();
    target.value = '';
    if (text) emit(el, 'import-kept', wishesIn(text));
  });

  async function copy(button, job) {
    const link = State.momentLink(document.baseURI, momentOfJob(job));
    try {
      await navigator.clipboard.writeText(link);
      button.textContent = t('kept.copied');
    } catch {
      prompt(t('kept.link'), link); // plain HTTP has no clipboard
    }
  }

  /** The piece without loss, its notes or its parts: made from the history now, for they would take many times the room of an MP3. */
  async function render(button, job, format) {
    if (button.getAttribute('aria-busy') === 'true') return;
    const words = button.textContent;
    button.setAttribute('aria-busy', 'true');
    button.textContent = t('kept.rendering');
    emit(el, 'complain-kept', '');
    try {
      save(await replayed(job.fields.station, momentOfJob(job), format), State.nameAs(job, RENDERED.get(format)));
    } catch (error) {
      emit(el, 'complain-kept', error.message);
    }
    button.textContent = words;
    button.removeAttribute('aria-busy');
  }

  return { update };

  /** @param {import('./kept-pieces.js').Keeping} next @param {{id: string, scene: any}[]} stations @param {boolean} [shuffles] the tape */
  function update(next, stations, shuffles = false) {
    [keeping, known] = [next, stations];
    find('.shuffle').setAttribute('aria-pressed', String(shuffles));
    const { pieces, waiting, problem, mayKeep, most, tags } = next;
    const allTags = State.tagsOf(pieces, tags);
    if (!allTags.includes(tag)) tag = '';
    const shown = State.tagged(pieces, tags, tag);
    el.hidden = !pieces.length && !waiting.length && !problem && mayKeep;
    const key = jsonOf([stations.map(({ name }) => name), shown.map(({ id, state, share }) => [id, state, share]), waiting.map(keyOf), tags, allTags, tag]);
    put(find('.limits'), t('kept.limits', { count: most.count, mb: Math.round(most.bytes / 1e6) }));
    const said = mayKeep ? problem && sentence(problem) : t('kept.closed');
    find('.problem').hidden = !said;
    put(find('.problem'), said);
    find('.export').hidden = !pieces.length;
    find('.tape').hidden = !shown.some(({ state }) => state === 'done');
    find('.shuffle').hidden = find('.tape').hidden;
    if (key !== shape) {
      shape = key;
      fill(allTags, waiting, shown);
    }
    for (const { picture, fields, facts } of pictures) picture.update({ scenery: State.sceneOf(fields, facts, stations), dark: isDark() });
  }

  function fill(allTags, waiting, shown) {
    const focused = el.contains(document.activeElement) ? document.activeElement : null;
    find('.by-tag').replaceChildren(...allTags.map(tagButton));
    list.replaceChildren(...waiting.map(waitingRow), ...shown.map(row));
    const canvases = [...list.querySelectorAll('.picture')];
    const shows = [...waiting.map((wish) => ({ fields: wish, facts: {} })), ...shown];
    pictures = shows.map(({ fields, facts }, index) => ({ picture: Picture(canvases[index]), fields, facts }));
    if (focused) keepPlace(focused);
  }

  /** What is made anew keeps the keyboard's place, and what was being typed. */
  function keepPlace(focused) {
    const id = focused.dataset.row;
    const again = id ? list.querySelector(`.tags[data-row="${id}"]`) : [...find('.by-tag').children].find(({ value }) => value === focused.value);
    if (!again || again.isConnected === focused.isConnected) return;
    if (id) again.value = focused.value;
    again.focus();
  }

  function tagButton(name) {
    const button = Object.assign(document.createElement('button'), { type: 'button', className: 'pill', value: name, textContent: name });
    button.setAttribute('aria-pressed', String(name === tag));
    return button;
  }

  function waitingRow({ station, wall, title }) {
    const item = filled(title, t('kept.waiting'), [['cancel', t('kept.remove')]]);
    Object.assign(item.dataset, { station, wall });
    return item;
  }

  function row(job) {
    const { fields, state, share, error } = job;
    const about = {
      done: [known.find(({ id }) => id === fields.station)?.name ?? fields.station, ago(t, Date.now() / 1000 - Number(fields.at))].join(' · '),
      failed: sentence(error?.message ?? t('kept.failed')),
      cancelled: t('kept.failed'),
    }[state];
    const done = state === 'done';
    const rendered = State.formatsOf(job).map((format) => [format, t(`kept.${format}`), t('kept.download', { format: t(`kept.${format}`) })]);
    const actions = done ? [...rendered, ['play', t('kept.play')], ['copy', t('kept.link')]] : [];
    const words = about ?? t('kept.working', { percent: Math.round(share * 100) });
    const item = filled(titleOf(job), words, [...actions, ['forget', t('kept.remove')]]);
    item.dataset.id = job.id;
    if (done) {
      const link = Object.assign(document.createElement('a'), { className: 'pill', textContent: 'MP3' });
      link.setAttribute('aria-label', `${t('kept.download', { format: 'MP3' })}: ${titleOf(job)}`);
      const before = Object.assign(document.createElement('span'), { className: 'before', textContent: t('kept.downloads') });
      Object.assign(link, { href: clipOf(job, fileUrl).url, download: job.results[0].name });
      item.querySelector('.actions').prepend(before, link);
      const field = Object.assign(document.createElement('input'), { className: 'tags', type: 'text', placeholder: t('kept.tags') });
      field.dataset.row = job.id;
      field.value = (keeping.tags[keyOfJob(job)] ?? []).join(', ');
      field.setAttribute('aria-label', t('kept.tags-of', { title: titleOf(job) }));
      item.append(field);
    }
    return item;
  }
}

/** @param {Blob} blob @param {string} download what it is called */
function save(blob, download) {
  const href = URL.createObjectURL(blob);
  Object.assign(document.createElement('a'), { href, download }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

function put(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function wishesIn(text) {
  try {
    return State.wishesOf(JSON.parse(text), Date.now() / 1000);
  } catch {
    return null;
  }
}

function filled(title, about, actions) {
  const item = document.createElement('li');
  item.innerHTML = /* html */ `<canvas class="picture" width="72" height="54" aria-hidden="true"></canvas><span class="words"><span class="name"></span><span class="about"></span></span><span class="actions"></span>`;
  item.querySelector('.name').textContent = title;
  item.querySelector('.about').textContent = about;
  for (const [name, words, label = words] of actions) {
    const button = Object.assign(document.createElement('button'), { type: 'button', className: 'pill', textContent: words });
    button.dataset.do = name;
    button.setAttribute('aria-label', `${label}: ${title}`);
    item.querySelector('.actions').append(button);
  }
  return item;
}

/** The pieces that are kept or wait for it, by key. @param {import('./kept-pieces.js').Keeping} keeping */
export const keptKeys = ({ pieces, waiting }) => new Set([...pieces.map(keyOfJob), ...waiting.map(keyOf)]);
