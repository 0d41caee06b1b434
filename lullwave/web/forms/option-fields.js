/** The controls of a form, from a JSON schema: kind, range, default and words of each. Pure functions. */

import { sentence } from '../radio/wording.js';

/**
 * @typedef {{name: string, kind: 'number' | 'integer' | 'boolean' | 'choice' | 'text', label: string, help: string,
 *   placeholder?: string, unset: unknown, optional: boolean, low?: number, high?: number, step: string, maxLength?: number,
 *   choices: unknown[]}} Field `unset` is the value used if the field is left empty
 */

const KINDS = { number: 'number', integer: 'integer', boolean: 'boolean', string: 'text' };
const UNITS = { bpm: 'BPM', s: 'seconds', db: 'dB', hz: 'Hz', kbps: 'kbit/s' };

/**
 * One field for each property that a form can show.
 *
 * @param {{properties?: object}} schema
 * @param {Record<string, object>} words what replaces parts of single fields: a label, a placeholder, a kind
 * @param {(key: string, values?: Record<string, unknown>) => string} t
 * @returns {Field[]}
 */
export function fieldsOf(schema, words, t) {
  return Object.entries(schema.properties ?? {})
    .map(([name, said]) => fieldOf(name, said, words[name], t))
    .filter((field) => field.kind);
}

function fieldOf(name, said, better, t) {
  const shapes = said.anyOf ?? [said];
  const shape = { ...shapes.find((one) => one.type !== 'null'), ...said };
  const field = {
    name,
    kind: shape.enum ? 'choice' : KINDS[shape.type],
    label: labelOf(name, shape.unit),
    unset: said.default ?? null,
    optional: shapes.some((one) => one.type === 'null'),
    low: shape.minimum,
    high: shape.maximum,
    maxLength: shape.maxLength,
    choices: shape.enum ?? [],
    ...better,
  };
  const help = [better?.help ?? said.description, rangeWords(field, t)].filter(Boolean).map(sentence).filter((one) => one !== `${field.label}.`);
  return { ...field, step: stepOf(field), help: help.join(' ') };
}

/** `tempo_bpm` is "Tempo in BPM". */
function labelOf(name, unit) {
  const words = name.split('_');
  const counted = UNITS[unit] ?? unit ?? UNITS[words.at(-1)];
  if (words.length > 1 && words.at(-1) in UNITS) words.pop();
  const label = words.join(' ');
  return label[0].toUpperCase() + label.slice(1) + (counted ? ` in ${counted}` : '');
}

/** How far an arrow key goes: fine in a narrow range. */
function stepOf({ kind, low, high }) {
  if (kind === 'integer') return '1';
  if (low === undefined || high === undefined) return 'any';
  return high - low <= 5 ? '0.01' : high - low <= 50 ? '0.1' : '0.5';
}

/** The allowed numbers in words; empty where the control keeps to them anyway. */
function rangeWords({ kind, low, high }, t) {
  if (kind !== 'number' && kind !== 'integer') return '';
  const most = typeof high !== 'bigint' && (Number.isSafeInteger(high) || !Number.isInteger(high)) ? high : undefined;
  if (low !== undefined && most !== undefined) return t('form.between', { low, high: most });
  if (low !== undefined) return t('form.at-least', { low });
  return most === undefined ? '' : t('form.at-most', { high: most });
}

/**
 * What a control says, as the value of a request; undefined where it says nothing new. What is no number stays text:
 * the server knows what to say to that.
 *
 * @param {Field} field @param {string | boolean} raw
 */
export function valueOf(field, raw) {
  const value = plain(field, raw);
  return value === field.unset ? undefined : value;
}

function plain({ kind, optional, unset, choices }, raw) {
  if (typeof raw === 'boolean') return raw;
  if (kind === 'text' || kind === 'file') return raw === '' && optional ? unset : raw;
  if (raw.trim() === '') return unset;
  if (kind === 'boolean') return raw === 'true';
  if (kind === 'choice') return choices.find((choice) => String(choice) === raw) ?? raw;
  const number = Number(raw);
  if (!Number.isFinite(number)) return raw;
  return Number.isInteger(number) && !Number.isSafeInteger(number) && /^-?\d+$/.test(raw) ? BigInt(raw) : number;
}
