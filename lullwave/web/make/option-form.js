/** Labelled controls for the fields of a schema, each with its explanation and room for a complaint. */

import { fieldsOf, valueOf } from './option-fields.js';

const AUTO = 'auto'; // shown where the engine or the prompt chooses
let drawn = 0;

/** @param {HTMLElement} el */
export function OptionForm(el) {
  let rows = new Map();

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
      rows = new Map(fieldsOf(schema, words).map((field) => [field.name, row(field)]));
      el.replaceChildren(...[...rows.values()].map((one) => one.el));
    },
    /** What was changed, by name, and the first control that holds no number where one is meant. */
    read() {
      const values = {};
      let wrong = null;
      for (const { field, control } of rows.values()) {
        if (control.validity.badInput) {
          complain(field.name, 'This is not a number.');
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
      const control = rows.get(name)?.control;
      if (control) control.value = String(value);
    },
    /** What holds for a field if nothing is changed. @param {string} name */
    unset: (name) => rows.get(name)?.field.unset,
  };
}

function row(field) {
  drawn += 1;
  const id = `option-${drawn}`;
  const control = CONTROLS[field.kind](field);
  Object.assign(control, { id, name: field.name });
  control.classList.add(control.type === 'checkbox' ? 'tick' : 'box');
  control.setAttribute('aria-describedby', `${id}-help ${id}-wrong`);
  const el = document.createElement('div');
  el.className = `option -${field.kind}`;
  el.innerHTML = /* html */ `
    <label class="label" for="${id}"></label>
    <p class="help" id="${id}-help"></p>
    <p class="wrong" id="${id}-wrong" hidden></p>`;
  const label = el.querySelector('.label');
  label.textContent = field.label;
  label.after(control);
  el.querySelector('.help').textContent = field.help;
  return { el, field, control, wrong: el.querySelector('.wrong') };
}

const CONTROLS = { number, integer: number, boolean, choice, text };

function number({ low, high, step, unset, placeholder }) {
  const control = input('number');
  if (low !== undefined) control.min = String(low);
  if (high !== undefined) control.max = String(high);
  control.step = step;
  control.placeholder = placeholder ?? (unset === null ? AUTO : String(unset));
  control.value = unset === null ? '' : String(unset);
  control.inputMode = step === '1' ? 'numeric' : 'decimal';
  return control;
}

function text({ maxLength, unset, placeholder }) {
  const control = input('text');
  if (maxLength !== undefined) control.maxLength = maxLength;
  control.placeholder = placeholder ?? (unset === null ? AUTO : '');
  control.value = unset ?? '';
  return control;
}

function boolean(field) {
  if (field.optional) return choice({ ...field, choices: [true, false] });
  const control = input('checkbox');
  control.checked = field.unset === true;
  return control;
}

function choice({ choices, unset, optional }) {
  const control = document.createElement('select');
  const named = choices.map((one) => new Option({ true: 'yes', false: 'no' }[one] ?? one, one, one === unset, one === unset));
  control.replaceChildren(...(optional ? [new Option(AUTO, '', unset === null, unset === null)] : []), ...named);
  return control;
}

function input(type) {
  return Object.assign(document.createElement('input'), { type, autocomplete: 'off' });
}
