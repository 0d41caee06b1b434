/**
 * A step of the walk as a request, and its reply; pure but for the call that it is given.
 *
 * Riffusion's own server interface (`/run_inference`) gives image and sound. Every other engine makes the clip with
 * `/api/generate`: two prompts are blended by their shares, and the picture is computed from the sound.
 */

/** @typedef {import('./prompt-walk.js').Step} Step @typedef {import('./riff-settings.js').Settings} Settings */

const KEYS = ['A minor', 'C major', 'D minor', 'F major', 'E minor', 'G major'];
const VARIATIONS = 1000; // seeds of one leg that stays with its prompt
const SHARES = /\||(?<=\s):\s*[\d.]+\s*$/g; // what would end a part of a blend
const BRACKETS = /[()[\]:|\\,]/g;

/** The body of `POST /run_inference`. @param {Step} step @param {Settings} settings */
export function riffusionRequest({ start, end, alpha }, settings) {
  const both = {
    denoising: settings.denoising,
    guidance: settings.guidance,
    ...(settings.negativePrompt && { negative_prompt: settings.negativePrompt }),
  };
  return {
    start: { ...start, ...both },
    end: { ...end, ...both },
    alpha,
    num_inference_steps: settings.numInferenceSteps,
    seed_image_id: settings.seedImageId,
    mask_image_id: settings.maskImageId,
  };
}

/**
 * The body of `POST /api/generate`. `known` are the names of the engine's options: where it can, clips are loops of one
 * tempo and one key.
 *
 * @param {Step} step @param {Settings} settings @param {string} engine @param {string[]} known @param {number} home
 *   the walk's first seed, by which the key is chosen
 */
export function clipRequest({ start, end, alpha }, settings, engine, known, home) {
  const stays = start.prompt === end.prompt;
  const wanted = stays ? start.prompt : blend(start.prompt, end.prompt, alpha);
  const avoid = settings.negativePrompt ? `, -(${settings.negativePrompt.replace(BRACKETS, ' ')})` : '';
  const options = { loop: true, tempo_bpm: settings.tempoBpm, key: KEYS[home % KEYS.length] };
  return {
    prompt: wanted + avoid,
    seed: stays ? start.seed * VARIATIONS + Math.round(alpha * VARIATIONS) : start.seed * VARIATIONS,
    duration_s: settings.clipS,
    engine,
    format: 'flac',
    options: Object.fromEntries(Object.entries(options).filter(([name]) => known.includes(name))),
  };
}

/** Two prompts by their shares, in the notation that every engine reads. */
export function blend(from, to, alpha) {
  if (alpha <= 0) return from;
  if (alpha >= 1) return to;
  return `${plain(from)} :${round(1 - alpha)} | ${plain(to)} :${round(alpha)}`;
}

/** The bytes of a data URI in base64. @param {string} uri */
export function bytesOf(uri) {
  const text = atob(uri.slice(uri.indexOf(',') + 1));
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function plain(prompt) {
  return prompt.replace(SHARES, ' ').replace(/\s+/g, ' ').trim();
}

function round(share) {
  return Number(share.toFixed(4));
}
