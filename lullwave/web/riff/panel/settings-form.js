/** The settings panel: a control for each setting that the engine has; a change is sent once it is a value. */

import { emit } from '../../shared/emit.js';
import { FIELDS, valueOf } from '../music/riff-settings.js';
import { engineChoice, wrongValue } from '../wording.js';

/** @param {HTMLElement} el @param {import('../wording.js').Translator} t */
export function SettingsForm(el, t) {
  const form = el.querySelector('.form');
  const image = el.querySelector('.seed-image');
  const wordsOf = (name) => ({ label: t(`riff.field-${name}`), help: t.or(`riff.help-${name}`, '') });
  const rows = Object.fromEntries(Object.entries(FIELDS).map(([name, field]) => [name, rowOf(name, field, wordsOf(name))]));
  const token = rowOf('token', { type: 'password' }, wordsOf('token'));
  let choices = '';
  form.append(...Object.values(rows).map((row) => row.el), token.el);

  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('change', ({ target }) => {
    if (target.name === 'token') return emit(el, 'set-token', target.value);
    const value = valueOf(target.name, target.value);
    const row = rows[target.name];
    complain(row, value === undefined ? wrongValue(t, FIELDS[target.name]) : '');
    if (value !== undefined) emit(el, 'set-setting', { [target.name]: value });
  });

  return {
    focusToken: () => token.control.focus(),
    /**
     * @param {{settings: Object, server: Object | null, engine: string, needsToken: boolean, imageUrl: (name: string) => string}} next
     */
    update({ settings, server, engine, needsToken, imageUrl }) {
      const riffusion = engine === 'riffusion';
      if (server) choose(server);
      for (const [name, { el: row, control }] of Object.entries(rows)) {
        const { only } = FIELDS[name];
        row.hidden = only !== undefined && (only === 'riffusion') !== riffusion;
        const shown = String(settings[name]);
        if (document.activeElement !== control && control.value !== shown && !control.hasAttribute('aria-invalid')) control.value = shown;
      }
      token.el.hidden = !needsToken;
      image.hidden = !(riffusion && server);
      const url = image.hidden ? '' : imageUrl(settings.seedImageId);
      if (url && image.getAttribute('src') !== url) image.src = url;
    },
  };

  function choose(server) {
    const now = JSON.stringify([server.engines.map(({ name, available }) => [name, available]), server.images.length, server.riffusion.available]);
    if (now === choices) return;
    choices = now;
    const engines = server.engines.filter(({ available }) => available).map(({ name, summary }) => [name, engineChoice(name, summary)]);
    if (server.riffusion.available) engines.unshift(['riffusion', engineChoice('riffusion', server.riffusion.checkpoint ?? '')]);
    options(rows.engine.control, [['', t('riff.automatic')], ...engines]);
    const named = (kind) => server.images.filter((one) => one.kind === kind).map(({ name }) => [name, name.replaceAll('_', ' ')]);
    options(rows.seedImageId.control, named('seed'));
    options(rows.maskImageId.control, [['', t('riff.no-mask')], ...named('mask')]);
  }
}

function options(select, pairs) {
  select.replaceChildren(...pairs.map(([value, words]) => new Option(words, value)));
}

function complain({ control, wrong }, words) {
  wrong.textContent = words;
  wrong.hidden = !words;
  if (words) control.setAttribute('aria-invalid', 'true');
  else control.removeAttribute('aria-invalid');
}

function rowOf(name, { type, low, high, step, maxLength }, { label, help }) {
  const el = document.createElement('div');
  const control = document.createElement(type === 'choice' ? 'select' : 'input');
  el.className = 'option';
  el.innerHTML = /* html */ `<label class="label"></label><p class="help"></p><p class="wrong" hidden></p>`;
  const [labelled, helping, wrong] = el.children;
  Object.assign(control, { id: `riff-${name}`, name, className: 'box', autocomplete: 'off' });
  if (type === 'number' || type === 'integer') {
    Object.assign(control, { type: 'number', min: String(low), max: String(high), step: String(step), inputMode: type === 'integer' ? 'numeric' : 'decimal' });
  } else if (type !== 'choice') Object.assign(control, { type, ...(maxLength && { maxLength }) });
  control.setAttribute('aria-describedby', `riff-${name}-help riff-${name}-wrong`);
  Object.assign(labelled, { htmlFor: control.id, textContent: label });
  Object.assign(helping, { id: `riff-${name}-help`, textContent: help });
  wrong.id = `riff-${name}-wrong`;
  labelled.after(control);
  return { el, control, wrong };
}
