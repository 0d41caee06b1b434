/** The form of a task: its fields from their schemas, presets, the options of the chosen engine, and every complaint. */

import { OptionForm } from '../forms/option-form.js';
import { FileField } from './file-field.js';
import { FIRST_FIELDS, PRESETS, TASK_OPTIONS } from './presets.js';

/**
 * @param {HTMLFormElement} el
 * @param {import('../shared/strings.js').translator} t
 * @param {Parameters<typeof FileField>[1]} files
 */
export function JobForm(el, t, files) {
  const find = (selector) => el.querySelector(selector);
  const fileField = FileField(t, files);
  const kinds = { file: fileField.control };
  const first = OptionForm(find('.first'), t, kinds);
  const more = OptionForm(find('.further'), t, kinds);
  const own = OptionForm(find('.own'), t);
  const forms = [first, more];
  let task = null;
  let engines = [];

  el.addEventListener('change', (event) => {
    if (event.target.name === 'engine') showEngine();
  });

  function showEngine() {
    const chosen = task?.takes_engine && engines.find(({ name }) => name === (first.control('engine') ?? more.control('engine'))?.value);
    const { properties = {}, ...rest } = (chosen && chosen.options) || {};
    const further = Object.entries(properties).filter(([name]) => !(TASK_OPTIONS[task.name] ?? []).includes(name));
    own.update({ ...rest, properties: Object.fromEntries(further) });
    find('.own-options').hidden = own.names().length === 0;
    const lacks = (can) => Boolean(chosen) && chosen.can !== undefined && !chosen.can.includes(can);
    for (const name of ['midi', 'stems', 'continue_from', 'melody', 'source']) {
      const row = more.control(name)?.closest('.option');
      if (row) row.hidden = task.name === 'text' && lacks(name);
    }
  }

  /** Labels and help in the page's language, and which fields hold files. */
  function wordsOf(name) {
    const words = { label: t.or(`field.${name}`, undefined), help: t.or(`help.${name}`, undefined) };
    if (name in task.files) Object.assign(words, { kind: 'file', holds: task.files[name], complain: (said) => complain([{ field: name, message: said }]) });
    if (name === 'seed') words.placeholder = t('form.random');
    if (name === 'prompt' || name === 'start' || name === 'end') words.placeholder = t(`example.${name}`);
    if (name === 'batch') words.rows = 8;
    return Object.fromEntries(Object.entries(words).filter(([, one]) => one !== undefined));
  }

  function show(form, schema, names) {
    const properties = Object.fromEntries(names.map((name) => [name, schema.properties[name]]));
    form.update({ properties }, Object.fromEntries(names.map((name) => [name, wordsOf(name)])));
  }

  function showPresets() {
    const presets = PRESETS[task.name] ?? [];
    find('.presets').hidden = presets.length === 0;
    find('.presets .list').replaceChildren(
      ...presets.map(({ name, values }) => {
        const button = Object.assign(document.createElement('button'), { type: 'button', className: 'pill' });
        button.textContent = t(`preset.${name}`);
        button.addEventListener('click', () => fill(values));
        return button;
      }),
    );
  }

  function fill(values) {
    for (const [name, value] of Object.entries(values)) for (const form of forms) form.put(name, value);
    showEngine();
    for (const [name, value] of Object.entries(values.options ?? {})) own.put(name, value);
    complain([]);
  }

  /**
   * Mark every field that is wrong and take the other marks away.
   *
   * @param {{field: string | null, message: string}[]} errors @returns {string[]} what belongs to no field
   */
  function complain(errors) {
    for (const form of [...forms, own]) for (const name of form.names()) form.complain(name, '');
    let focused = null;
    const left = [];
    for (const { field, message } of errors) {
      const name = (field ?? '').replace(/^fields\./, ''); // as the server names a part of the whole request
      const said = message.replace(/^fields\./, '').startsWith(`${name}: `) ? message.slice(message.indexOf(': ') + 2) : message;
      const words = said[0].toUpperCase() + said.slice(1);
      let control = null;
      if (name.startsWith('options.')) control = own.complain(name.slice('options.'.length), words);
      else for (const form of forms) control ??= form.complain(name, words);
      if (!control && /^(entries|params)/.test(name)) control = first.complain('batch', `${name}: ${words}`);
      if (control) {
        control.closest('details')?.setAttribute('open', '');
        focused ??= control;
      } else left.push(words);
    }
    focused?.focus();
    return left;
  }

  return {
    complain,
    fill,
    filesChanged: fileField.update,
    /** @param {object} next the task as the server lists it @param {object[]} known engines */
    update(next, known) {
      task = next;
      engines = known;
      const names = Object.keys(task.fields.properties);
      const begin = (FIRST_FIELDS[task.name] ?? names).filter((name) => names.includes(name));
      const rest = names.filter((name) => !begin.includes(name));
      show(first, task.fields, begin);
      show(more, task.fields, rest);
      find('.more').hidden = rest.length === 0;
      find('.more').open = false;
      showPresets();
      showEngine();
    },
    /** The fields that differ from their defaults; null where a control holds no number. */
    read() {
      const read = forms.map((form) => form.read());
      const options = own.read();
      const wrong = [...read, options].map((one) => one.wrong).find(Boolean);
      if (wrong) {
        wrong.closest('details')?.setAttribute('open', '');
        wrong.focus();
        return null;
      }
      const changed = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
      const fields = changed(Object.assign({}, ...read.map(({ values }) => values)));
      const chosen = changed(options.values);
      return Object.keys(chosen).length ? { ...fields, options: chosen } : fields;
    },
    reset() {
      for (const form of [...forms, own]) form.reset();
      complain([]);
    },
    control: (name) => first.control(name) ?? more.control(name),
  };
}
