/** Published models to choose from: what each is good at, whether it fits this server, its speed there, its licence. */

import { modelFacts, modelState } from './wording.js';

/** @param {HTMLElement} el @param {import('../shared/strings.js').translator} t @param {() => Promise<{models: object[]}>} ask */
export function ModelList(el, t, ask) {
  const told = el.querySelector('.told');
  const list = el.querySelector('.list');

  const paragraph = (className, textContent) => Object.assign(document.createElement('p'), { className, textContent });

  function itemOf(model) {
    const item = Object.assign(document.createElement('li'), { className: 'model' });
    const title = Object.assign(document.createElement('h3'), { className: 'title', textContent: model.name });
    const state = modelState(model);
    const words = paragraph('words', `${model.engine}: ${model.good_at}.`);
    const facts = paragraph('words', modelFacts(model, t));
    const terms = t.or(`terms.${model.licence}`, model.terms);
    item.append(title, paragraph(`state -${state}`, t(`models.${state}`)), words, facts, paragraph('words', t('models.licence', { terms, licence: model.licence })));
    if (model.gated && !model.installed) item.append(paragraph('words', t('models.gated')));
    return item;
  }

  return {
    /** Ask the server and show the list. */
    async update() {
      told.textContent = list.children.length ? '' : t('models.measuring');
      try {
        const { models } = await ask();
        el.hidden = models.length === 0;
        list.replaceChildren(...models.map(itemOf));
        told.textContent = '';
      } catch (error) {
        told.textContent = error.status === 0 ? t('studio.unreached') : error.message;
      }
    },
  };
}
