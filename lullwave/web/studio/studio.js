/** The Studio: a task is chosen and filled in, becomes a job on the server, and its results stay to be heard and compared. */

import { keepShell } from '../radio/offline-shell.js';
import { Api } from '../shared/api.js';
import { retryDelayMs } from '../shared/backoff.js';
import { Dots } from '../shared/dots.js';
import { LanguageMenu } from '../shared/language-menu.js';
import { strings } from '../shared/page-strings.js';
import { browserStorage, Preferences, visitStorage } from '../shared/preferences.js';
import { translate } from '../shared/strings.js';
import { Theme } from '../shared/theme.js';
import { Compare } from './compare.js';
import { JobForm } from './job-form.js';
import { JobList } from './job-list.js';
import { endedSince, imageOf, isActive, pollMs, soundOf, titleOf } from './job-state.js';
import { JobsApi } from './jobs-api.js';
import { ModelList } from './model-list.js';
import { Painter } from './paint/painter.js';
import { TaskList } from './task-list.js';
import { amount } from './wording.js';

const MODELS = 'models'; // the view that is no task
const PAINTED = 'image-to-audio'; // the task with the canvas
const PAINTED_LUFS = -16; // a painting has no level of its own
const PREVIEW_POLL_MS = 120;

const preferences = Preferences(browserStorage());
const visit = Preferences(visitStorage());

/** @param {HTMLElement} el @param {ReturnType<import('../shared/strings.js').translator>} t */
export function Studio(el, t) {
  const find = (selector) => el.querySelector(selector);
  translate(el, t);
  document.title = t('studio.page-title');
  const token = find('#token');
  token.value = visit.read('token', '');
  const api = Api({ base: document.baseURI, t });
  const jobsApi = JobsApi(api, () => token.value);
  const theme = Theme(find('.theme'), t);
  const taskName = (task) => t.or(`task.${task}`, task);
  const files = { jobs: () => jobs, upload, title: (job) => titleOf(job, taskName) };
  const taskList = TaskList(find('.task-list'), t);
  const form = JobForm(find('.job-form'), t, files);
  const painter = Painter(find('.painter'), t);
  const list = JobList(find('.job-list'), t, jobsApi);
  const modelList = ModelList(find('.model-list'), t, { ...jobsApi, pull, models: api.models }, refusal);
  const compare = Compare(find('.compare'), t, jobsApi);
  let tasks = [];
  let engines = [];
  let jobs = [];
  let listed = false; // the server has told them once
  let refreshes = 0;
  let needsToken = false;
  let shown = '';
  let asked = 0;
  let sent = ''; // the job that the form tells of
  let timer = 0;
  let nextTry = 0; // a timer, while the server is away
  let preview = null; // the job of the last painting that was heard
  let hearing = 0;

  Dots(document.querySelector('.dots'));
  theme.update({ theme: preferences.read('theme', 'auto') });
  LanguageMenu(find('.language-menu'), preferences);
  el.addEventListener('set-theme', ({ detail }) => {
    preferences.write('theme', detail);
    theme.update({ theme: detail });
    recolour();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour);
  addEventListener('hashchange', show);
  addEventListener('focus', () => void refresh());
  find('.unreached .retry').addEventListener('click', () => void learn());
  find('.job-form .reset').addEventListener('click', () => {
    form.reset();
    tell('');
  });
  find('.job-form').addEventListener('submit', (event) => {
    event.preventDefault();
    void send();
  });
  find('.job-form').addEventListener('change', ({ target }) => {
    if (shown === PAINTED && target.name === 'picture' && target.value) takeToCanvas(target.value);
  });
  el.addEventListener('hear-painting', () => void hearPainting());
  el.addEventListener('image-dropped', () => form.fill({ picture: '' }));
  el.addEventListener('job-action', ({ detail }) => void act(detail.id, detail.action));
  for (const kind of ['dragover', 'drop']) addEventListener(kind, (event) => event.preventDefault()); // a missed drop opens no file
  void learn();

  function recolour() {
    painter.recolour();
    compare.recolour();
  }

  /** What the server can do; asked until it answers. Nothing can be made or shown before. */
  async function learn(attempt = 1) {
    clearTimeout(nextTry);
    try {
      const [known, told] = await Promise.all([jobsApi.tasks(), api.engines()]);
      tasks = known.tasks;
      engines = told.engines;
      needsToken = told.needs_token;
      showAway('');
      await refresh();
      show();
    } catch (error) {
      showAway(reasonOf(error));
      nextTry = setTimeout(() => void learn(attempt + 1), retryDelayMs(attempt, Math.random()));
    }
  }

  /** @param {string} why the server does not answer; empty: it does */
  function showAway(why) {
    if (find('.unreached .why').textContent !== why) find('.unreached .why').textContent = why; // said once by screen readers
    find('.unreached').hidden = !why;
    find('.desk').classList.toggle('-away', Boolean(why));
  }

  function show() {
    const names = [...tasks.map(({ name }) => name), MODELS];
    const wanted = location.hash.slice(1);
    const name = names.includes(wanted) ? wanted : names[0];
    taskList.update([...tasks, { name: MODELS, available: true }], name);
    if (name === shown) return;
    shown = name;
    const task = tasks.find((one) => one.name === name);
    find('#task-heading').textContent = t(`task.${name}`);
    find('.lead > .blurb').textContent = t.or(`summary.${name}`, task?.summary ?? '');
    find('.absent').hidden = !task || task.available;
    if (task && !task.available) find('.absent .why').textContent = sentenceOf(task.why);
    find('.job-form').hidden = !task?.available;
    find('.painter').hidden = name !== PAINTED;
    find('.models').hidden = name !== MODELS;
    tell('');
    if (task?.available) {
      form.update(task, engines);
      form.filesChanged();
    }
    if (name === MODELS) {
      showEngines();
      void modelList.update();
    }
  }

  function showEngines() {
    find('.models > .list').replaceChildren(
      ...engines.map(({ name, available, why, summary }) => {
        const item = Object.assign(document.createElement('li'), { className: 'model' });
        const title = Object.assign(document.createElement('h2'), { className: 'title', textContent: name });
        const state = Object.assign(document.createElement('p'), { className: `state ${available ? '-here' : '-absent'}` });
        state.textContent = t(available ? 'models.here' : 'models.absent');
        const words = Object.assign(document.createElement('p'), { className: 'words', textContent: sentenceOf(available ? summary : why) });
        item.append(title, state, words);
        return item;
      }),
    );
  }

  async function refresh() {
    clearTimeout(timer);
    refreshes += 1;
    const mine = refreshes;
    let told;
    try {
      told = await jobsApi.list();
    } catch (error) {
      if (mine === refreshes && (!listed || jobs.some(isActive))) {
        find('.job-list > .told').textContent = reasonOf(error);
        timer = setTimeout(() => void refresh(), 2000);
      }
      return;
    }
    if (mine !== refreshes) return; // a reply that was overtaken tells of the past
    find('.job-list > .told').textContent = '';
    const ended = endedSince(jobs, told.jobs);
    jobs = told.jobs;
    listed = true;
    needsToken = !told.may_make;
    find('.token').hidden = !needsToken;
    find('.no-token').hidden = !needsToken;
    find('.no-token').textContent = needsToken ? t('studio.no-token') : '';
    find('.job-list .space').textContent = t('jobs.space', { used: amount(told.used_bytes, t), most: amount(told.most_bytes, t) });
    const schemas = Object.fromEntries(tasks.map(({ name, fields }) => [name, fields]));
    list.update(jobs, { schemas, base: document.baseURI, needsToken });
    compare.update(jobs);
    tellOfSent();
    if (ended.length) asked = 0;
    form.filesChanged();
    const wait = pollMs(jobs, asked);
    asked += 1;
    if (wait !== null) timer = setTimeout(() => void refresh(), wait);
    else asked = 0;
  }

  /** What became of the job that the form tells of. */
  function tellOfSent() {
    const job = jobs.find(({ id }) => id === sent);
    if (job?.state === 'done') tell(t('form.ready'));
    else if (job && !isActive(job)) tell(job.state === 'failed' ? t('form.failed') : '', job.state === 'failed');
  }

  function tell(words, isWrong = false) {
    sent = '';
    const told = find('.job-form .told');
    told.textContent = words;
    told.classList.toggle('-wrong', isWrong);
  }

  async function send() {
    tell('');
    form.complain([]);
    const fields = form.read();
    if (!fields) return tell(t('form.mistakes'), true);
    const button = find('.job-form .send');
    button.disabled = true;
    try {
      if (shown === PAINTED && !painter.isEmpty && (!fields.picture || painter.isChanged)) {
        Object.assign(fields, { picture: await paintedFile(), loudness_lufs: fields.loudness_lufs ?? PAINTED_LUFS });
      }
      const job = await jobsApi.create(shown, fields);
      visit.write('token', token.value);
      tell(t('form.sent'));
      sent = job.id;
      asked = 0;
      await refresh();
    } catch (error) {
      refused(error);
    } finally {
      button.disabled = false;
    }
  }

  async function pull(name) {
    await jobsApi.pull(name);
    visit.write('token', token.value);
  }

  /** What to say of an error; where the token is needed, its field is shown. */
  function refusal(error) {
    if (!error.wantsToken) return reasonOf(error);
    find('.token').hidden = false;
    token.focus();
    return t(token.value ? 'form.wrong-token' : 'studio.no-token');
  }

  function refused(error) {
    if (error.wantsToken) return tell(refusal(error), true);
    const left = form.complain(error.errors ?? []);
    const known = (error.errors ?? []).length - left.length;
    const words = known ? [t('form.mistakes'), ...left] : [reasonOf(error)];
    tell(words.join(' '), true);
  }

  async function upload(file) {
    try {
      const job = await jobsApi.upload(file.name, file);
      await refresh();
      return `${job.id}/${job.results[0].name}`;
    } catch (error) {
      throw new Error(reasonOf(error));
    }
  }

  const paintedFile = async () => upload(new File([await painter.png()], 'painting.png', { type: 'image/png' }));

  /** Make the painting heard: as a job like any other, which the next one replaces. */
  async function hearPainting() {
    hearing += 1;
    const mine = hearing;
    painter.say('paint.making');
    const before = preview;
    try {
      if (before?.active) await jobsApi.cancel(before.id);
      const picture = await paintedFile();
      let job = await jobsApi.create(PAINTED, { picture, quality: 'fast', format: 'wav', loudness_lufs: PAINTED_LUFS });
      const made = { id: job.id, upload: picture.split('/')[0], active: true };
      preview = made;
      while (isActive(job)) {
        await new Promise((done) => setTimeout(done, PREVIEW_POLL_MS));
        job = await jobsApi.one(job.id);
      }
      made.active = false;
      if (job.error) throw new Error(job.error.message);
      if (mine === hearing && !soundOf(job)) painter.say('');
      else if (mine === hearing) {
        const sound = find('.painter .preview');
        sound.src = jobsApi.fileUrl(`${job.id}/${soundOf(job).name}`);
        painter.say('paint.made', { seconds: t.number(soundOf(job).seconds, 2) });
        await sound.play().catch(() => painter.say('paint.press-play'));
      }
      if (before) await Promise.all([jobsApi.remove(before.id), jobsApi.remove(before.upload)].map((one) => one.catch(() => null)));
    } catch (error) {
      if (mine === hearing) {
        find('.painter .preview').removeAttribute('src'); // the sound of an earlier painting is none of this one
        find('.painter .preview').load();
        painter.say('paint.failed', { why: reasonOf(error) });
      }
    }
    await refresh();
  }

  async function act(id, action) {
    const job = jobs.find((one) => one.id === id);
    if (!job) return;
    const told = find('.job-list > .told');
    told.textContent = '';
    try {
      if (action === 'cancel') await jobsApi.cancel(id);
      else if (action === 'retry') await jobsApi.retry(id);
      else if (action === 'pin') await jobsApi.pin(id, !job.pinned);
      else if (action === 'remove') await jobsApi.remove(id);
      else if (action === 'again') return useAgain(job);
      else if (action === 'paint') return paintOn(job);
      else if (action.startsWith('compare-')) {
        await compare.put(action === 'compare-a' ? 0 : 1, job);
        find('.compare').scrollIntoView({ block: 'nearest', behavior: 'smooth' });
        return;
      }
      asked = 0;
      await refresh();
    } catch (error) {
      told.textContent = reasonOf(error);
    }
  }

  function goTo(name) {
    if (location.hash !== `#${name}`) history.pushState(null, '', `#${name}`);
    show();
    find('#task-heading').scrollIntoView({ block: 'nearest' });
  }

  function useAgain(job) {
    if (!tasks.some(({ name, available }) => name === job.task && available)) return;
    goTo(job.task);
    form.fill(job.fields);
    tell(t('form.filled'));
  }

  function paintOn(job) {
    goTo(PAINTED);
    const value = `${job.id}/${imageOf(job).name}`;
    form.fill({ picture: '' });
    takeToCanvas(value);
  }

  function takeToCanvas(value) {
    painter.load(jobsApi.fileUrl(value)).catch((error) => painter.say('paint.failed', { why: reasonOf(error) }));
  }

  function reasonOf(error) {
    if (error.status === 0) return t('studio.unreached');
    const again = error.retryAfterS ? ` ${t('studio.retry-after', { seconds: error.retryAfterS })}` : '';
    return sentenceOf(error.message ?? String(error)) + again;
  }
}

function sentenceOf(words) {
  return words ? words[0].toUpperCase() + words.slice(1) + (/[.!?…]$/.test(words) ? '' : '.') : '';
}

Studio(document.querySelector('.studio'), await strings);
void keepShell();
