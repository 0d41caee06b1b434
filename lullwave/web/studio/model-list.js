/**
 * Published models to choose from: what each is good at, whether it fits this server, its speed there, its licence; and
 * their download, with progress.
 */

import { modelFacts, modelState, pullWords } from './wording.js';

const POLL_MS = 700;

/**
 * @param {HTMLElement} el @param {import('../shared/strings.js').translator} t
 * @param {{models: () => Promise<{models: object[]}>, lastPull: () => Promise<object | null>,
 *   pull: (name: string) => Promise<object>, cancelPull: () => Promise<unknown>}} api
 * @param {(error: Error) => string} reasonOf what to say of an error; asks for the token where it is needed
 */
export function ModelList(el, t, api, reasonOf) {
  const told = el.querySelector('.told');
  const list = el.querySelector('.list');
  const cards = new Map();
  let timer = 0;
  let asked = 0;

  list.addEventListener('click', ({ target }) => {
    const button = target.closest('button[name]');
    if (button) void ask(button.name === 'pull' ? () => api.pull(button.closest('.model').dataset.name) : api.cancelPull);
  });

  async function ask(call) {
    told.textContent = '';
    try {
      await call();
      await follow();
    } catch (error) {
      told.textContent = reasonOf(error);
    }
  }

  /** Show how far the download is, until it has ended. */
  async function follow() {
    clearTimeout(timer);
    asked += 1;
    const mine = asked;
    const pull = await api.lastPull();
    if (mine !== asked) return; // overtaken
    for (const [name, card] of cards) showPull(card, pull?.name === name ? pull : null, pull?.state === 'pulling');
    if (pull?.state === 'pulling') timer = setTimeout(() => void follow().catch(later), POLL_MS);
    else if (pull?.state === 'done' && cards.get(pull.name)?.dataset.installed === 'false') await update();
  }

  function later(error) {
    told.textContent = reasonOf(error);
    timer = setTimeout(() => void follow().then(() => (told.textContent = ''), later), 4 * POLL_MS);
  }

  function showPull(card, pull, isBusy) {
    const find = (selector) => card.querySelector(selector);
    const running = pull?.state === 'pulling';
    const bar = find('.bar');
    bar.hidden = !running;
    if (running && pull.total_bytes) bar.value = pull.done_bytes / pull.total_bytes;
    else bar.removeAttribute('value');
    find('.how-far').textContent = pullWords(pull, t);
    find('[name=pull]').hidden = card.dataset.installed === 'true' || card.dataset.fits === 'false' || running;
    find('[name=pull]').disabled = isBusy;
    find('[name=cancel]').hidden = !running;
  }

  const paragraph = (className, textContent) => Object.assign(document.createElement('p'), { className, textContent });

  function buttonOf(name, words, label) {
    const button = Object.assign(document.createElement('button'), { type: 'button', name, className: 'pill', textContent: words });
    button.setAttribute('aria-label', label);
    return button;
  }

  function cardOf(model) {
    const { name } = model;
    const item = Object.assign(document.createElement('li'), { className: 'model' });
    Object.assign(item.dataset, { name, installed: model.installed, fits: model.fits });
    const state = modelState(model);
    const terms = t.or(`terms.${model.licence}`, model.terms);
    const bar = Object.assign(document.createElement('progress'), { className: 'bar', max: 1, hidden: true });
    bar.setAttribute('aria-label', t('models.pull-progress', { name }));
    const actions = paragraph('actions', '');
    const size = { disk: model.disk_gb, name };
    actions.append(buttonOf('pull', t('models.pull', size), t('models.pull-label', size)), buttonOf('cancel', t('job.cancel'), t('models.cancel-label', size)));
    item.append(
      Object.assign(document.createElement('h3'), { className: 'title', textContent: name }),
      paragraph(`state -${state}`, t(`models.${state}`)),
      paragraph('words', `${model.engine}: ${model.good_at}.`),
      paragraph('words', modelFacts(model, t)),
      paragraph('words', t('models.licence', { terms, licence: model.licence })),
      ...(model.gated && !model.installed ? [paragraph('words', t('models.gated'))] : []),
      bar,
      Object.assign(paragraph('how-far words', ''), { role: 'status' }),
      actions,
    );
    showPull(item, null, false);
    return item;
  }

  async function update() {
    told.textContent = list.children.length ? '' : t('models.measuring');
    try {
      const { models } = await api.models();
      el.hidden = models.length === 0;
      cards.clear();
      for (const model of models) cards.set(model.name, cardOf(model));
      list.replaceChildren(...cards.values());
      told.textContent = '';
    } catch (error) {
      told.textContent = reasonOf(error);
      return;
    }
    await follow().catch(() => {}); // others than the owner are not told of downloads
  }

  return {
    /** Ask the server and show the list. */
    update,
  };
}
