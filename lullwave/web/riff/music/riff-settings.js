/**
 * What a clip is made with besides its prompt, and the same in the address of the page; pure.
 *
 * The parameters are those of Riffusion's web app (`prompt`, `seed`, `denoising`, `seedImageId`, `maskImageId`, `guidance`,
 * `numInferenceSteps`, `alphaVelocity`), so that its links work here, and a few more.
 *
 * @typedef {{engine: string, seed: number, alphaVelocity: number, denoising: number, guidance: number,
 *   numInferenceSteps: number, seedImageId: string, maskImageId: string, negativePrompt: string, clipS: number,
 *   tempoBpm: number}} Settings
 * @typedef {{type: 'number' | 'integer' | 'text' | 'choice', unset: number | string, low?: number, high?: number,
 *   step?: number, maxLength?: number, only?: 'riffusion' | 'others'}} Field
 */

export const MAX_SEED = 2 ** 31 - 1;
export const MAX_PROMPT = 400; // characters; two of them and what to avoid fit into one prompt of the server's 1000
const MAX_NEGATIVE = 150;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;
const NO_MASK = 'none'; // Riffusion's word for it in addresses

/** @type {Record<string, Field>} in the order of the panel */
export const FIELDS = {
  engine: { type: 'choice', unset: '' },
  seedImageId: { type: 'choice', unset: 'og_beat', only: 'riffusion' },
  maskImageId: { type: 'choice', unset: '', only: 'riffusion' },
  denoising: { type: 'number', unset: 0.75, low: 0, high: 1, step: 0.05, only: 'riffusion' },
  numInferenceSteps: { type: 'integer', unset: 50, low: 1, high: 200, step: 1, only: 'riffusion' },
  guidance: { type: 'number', unset: 7, low: 0, high: 30, step: 0.5, only: 'riffusion' },
  clipS: { type: 'integer', unset: 12, low: 2, high: 60, step: 1, only: 'others' },
  tempoBpm: { type: 'integer', unset: 80, low: 40, high: 180, step: 1, only: 'others' },
  alphaVelocity: { type: 'number', unset: 0.25, low: 0.05, high: 1, step: 0.05 },
  seed: { type: 'integer', unset: 0, low: 0, high: MAX_SEED, step: 1 },
  negativePrompt: { type: 'text', unset: '', maxLength: MAX_NEGATIVE },
};

/** @returns {Settings} */
export function usual(seed) {
  return { ...Object.fromEntries(Object.entries(FIELDS).map(([name, { unset }]) => [name, unset])), seed };
}

/**
 * A value of a field as it may be sent, or undefined where the text is none.
 *
 * @param {string} name @param {string} text
 */
export function valueOf(name, text) {
  const { type, low, high, maxLength } = FIELDS[name];
  if (type === 'choice') {
    const none = text === '' || (name === 'maskImageId' && text === NO_MASK);
    return none ? FIELDS[name].unset : NAME.test(text) ? text : undefined;
  }
  if (type === 'text') return text.slice(0, maxLength);
  const value = text.trim() === '' ? NaN : Number(text);
  if (!Number.isFinite(value) || value < low || value > high) return undefined;
  return type === 'integer' && !Number.isInteger(value) ? undefined : value;
}

/**
 * What an address says. Values that are none are left out.
 *
 * @param {string} search of the address @returns {{settings: Partial<Settings>, prompts: string[]}}
 */
export function fromAddress(search) {
  const said = new URLSearchParams(search);
  const settings = {};
  for (const name of Object.keys(FIELDS)) {
    const value = said.has(name) ? valueOf(name, said.get(name)) : undefined;
    if (value !== undefined) settings[name] = value;
  }
  const prompts = [...said.getAll('prompt').slice(0, 1), ...said.getAll('next')].map(promptOf).filter(Boolean);
  return { settings, prompts };
}

/**
 * The query that brings everything back: the current prompt, those to come, and what differs from the usual.
 *
 * @param {string[]} prompts @param {Settings} settings @returns {string} beginning with `?`
 */
export function toAddress([prompt, ...next], settings) {
  const said = new URLSearchParams({ prompt, seed: String(settings.seed) });
  for (const [name, { unset }] of Object.entries(FIELDS)) {
    if (name !== 'seed' && settings[name] !== unset) said.set(name, String(settings[name]));
  }
  for (const one of next) said.append('next', one);
  return `?${said}`;
}

/** A prompt as it is sent: one line, without control characters. @param {string} text */
export function promptOf(text) {
  return [...text.replace(/[\p{Cc}\p{Cs}\s]+/gu, ' ').trim()].slice(0, MAX_PROMPT).join('');
}
