/** Labelled controls for the fields of a schema, each with its explanation and room for a complaint. */

import { fieldsOf, valueOf } from './option-fields.js';

const LONG = 400; // characters from which on a text gets several lines
let drawn = 0;

/**
 * @typedef {(field: import('./option-fields.js').Field) => HTMLElement & {name: string, value: string}} Control
 *
 * @param {HTMLElement} el @param {(key: string) => string} t the words of the page
 * @param {Record<string, Control>} [own] controls of further kinds of fields
 */
export function OptionForm(el, t, own = {}) {
  let rows = new Map();
  const controls = { number: number(t), integer: number(t), boolean: boolean(t), choice: choice(t), text: text(t), ...own };

  el.addEventListener('input', (event) => complain(event.target.name, ''));

  /** @param {string} name @param {string} words nothing takes the complaint back @returns {HTMLElement | null} */
  function complain(name, words) {
    const row = rows.get(name);
    if (!row) return null;
    row.wrong.textContent = words;
    row.wrong.hidden = !words;
    if (words) row.control.setAttribute('aria-invalid', 'true');
    else row.control.removeAttribute('aria-invalid');
    return row.control;
  }

  return {
    complain,
    /** @param {object} schema @param {Record<string, {label?: string, placeholder?: string}>} [words] of single fields */
    update(schema, words = {}) {
      rows = new Map(fieldsOf(schema, words, t).map((field) => [field.name, row(field, controls)]));
      el.replaceChildren(...[...rows.values()].map((one) => one.el));
    },
    /** What was changed, by name, and the first control that holds no number where one is meant. */
    read() {
      const values = {};
      let wrong = null;
      for (const { field, control } of rows.values()) {
        if (control.validity?.badInput) {
          complain(field.name, t('form.no-number'));
          wrong ??= control;
          continue;
        }
        complain(field.name, '');
        values[field.name] = valueOf(field, control.type === 'checkbox' ? control.checked : control.value);
      }
      return { values, wrong };
    },
    /** @param {string} name @param {unknown} value */
    put(name, value) {
      const row = rows.get(name);
      if (!row) return;
      const { control } = row;
      if (control.type === 'checkbox') control.checked = value === true;
      else control.value = value === null || value === undefined ? '' : String(value);
    },
    /** Put every field back to what holds if nothing is changed. */
    reset() {
      for (const { field } of rows.values()) this.put(field.name, field.unset);
    },
    names: () => [...rows.keys()],
    /** @param {string} name */
    control: (name) => rows.get(name)?.control ?? null,
  };
}

function row(field, controls) {
  drawn += 1;
  const id = `option-${drawn}`;
  const control = controls[field.kind](field);
  Object.assign(control, { id, name: field.name });
  control.classList.add(control.type === 'checkbox' ? 'tick' : 'box');
  control.setAttribute('aria-describedby', `${id}-help ${id}-wrong`);
  const el = document.createElement('div');
  el.className = `option -${field.kind} ${control.localName === 'textarea' ? '-long' : ''}`;
  el.dataset.field = field.name;
  el.innerHTML = /* html */ `
    <label class="label" for="${id}"></label>
    <p class="help" id="${id}-help"></p>
    <p class="wrong" id="${id}-wrong" hidden></p>`;
  const label = el.querySelector('.label');
  label.textContent = field.label;
  label.after(control.frame ?? control);
  el.querySelector('.help').textContent = field.help;
  return { el, field, control, wrong: el.querySelector('.wrong') };
}

const number = (t) => ({ low, high, step, unset, placeholder }) => {
  const control = input('number');
  if (low !== undefined) control.min = String(low);
  if (high !== undefined) control.max = String(high);
  control.step = step;
  control.placeholder = placeholder ?? (unset === null ? t('form.auto') : String(unset));
  control.value = unset === null ? '' : String(unset);
  control.inputMode = step === '1' ? 'numeric' : 'decimal';
  return control;
};

const text = (t) => ({ maxLength, unset, placeholder, rows }) => {
  const long = maxLength > LONG;
  const control = long ? Object.assign(document.createElement('textarea'), { rows: rows ?? 2, spellcheck: false }) : input('text');
  if (maxLength !== undefined) control.maxLength = maxLength;
  control.placeholder = placeholder ?? (unset === null ? t('form.auto') : '');
  control.value = unset ?? '';
  return control;
};

const boolean = (t) => (field) => {
  if (field.optional) return choice(t)({ ...field, choices: [true, false] });
  const control = input('checkbox');
  control.checked = field.unset === true;
  return control;
};

const choice = (t) => ({ choices, unset, optional }) => {
  const control = document.createElement('select');
  const words = (one) => ({ true: t('form.yes'), false: t('form.no') })[one] ?? t.or(`choice.${one}`, one);
  const named = choices.map((one) => new Option(words(one), one, one === unset, one === unset));
  control.replaceChildren(...(optional ? [new Option(t('form.auto'), '', unset === null, unset === null)] : []), ...named);
  return control;
};

function input(type) {
  return Object.assign(document.createElement('input'), { type, autocomplete: 'off' });
}
