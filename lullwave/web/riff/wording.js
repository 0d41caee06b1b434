/** The words of the page that its scripts make; pure. The others stand in `riff.html`. */

import { sentence } from '../radio/wording.js';

/** Prompts for the dice and the suggestions: what an engine of any kind understands. */
export const PROMPTS = [
  'rainy night piano',
  'warm synthwave',
  'jazz trio in a small cafe',
  'sunny bossa guitar',
  'slow dub bass and organ',
  'music box by the sea',
  'soft choir and strings',
  'dusty boom bap with vinyl crackle',
  'fingerpicked guitar by the fire',
  'electric piano, rain on the window',
  'kalimba and hand drums',
  'late night saxophone',
  'celesta waltz',
  'deep ambient pads',
  'harp and flute at dawn',
  '808 bass and bells',
  'accordion in Paris',
  'sitar and warm drone',
  'marimba in the tropics',
  'church organ, very slow',
  'koto in the garden',
  'funky slap bass groove',
  'string quartet, melancholic',
  'chiptune lullaby',
];

/** @type {Record<string, {label: string, help?: string}>} */
export const FIELD_WORDS = {
  engine: { label: 'Model' },
  seedImageId: { label: 'Seed image', help: 'The spectrogram that every clip is painted over.' },
  maskImageId: { label: 'Mask', help: 'Which part of the seed image stays.' },
  denoising: { label: 'Denoising', help: '0 keeps the seed image, 1 ignores it.' },
  numInferenceSteps: { label: 'Steps', help: 'Fewer are faster.' },
  guidance: { label: 'Guidance', help: 'How closely the prompt is followed.' },
  clipS: { label: 'Clip length in seconds', help: 'Short clips follow you sooner.' },
  tempoBpm: { label: 'Tempo in BPM', help: 'Where the model can keep one.' },
  alphaVelocity: { label: 'Alpha step', help: 'How far each clip goes towards the next prompt. 1 goes there at once.' },
  seed: { label: 'Seed', help: 'The same seed and prompts give the same music.' },
  negativePrompt: { label: 'Not wanted', help: 'What to avoid.' },
};
export const NO_MASK = 'none';
export const AUTOMATIC = 'automatic';

/** @param {string} name @param {string} summary */
export const engineChoice = (name, summary) => (summary ? `${name}: ${summary}` : name);

/** @param {{low?: number, high?: number, type: string}} field */
export function wrongValue({ low, high, type }) {
  return `Enter a ${type === 'integer' ? 'whole number' : 'number'} from ${low} to ${high}.`;
}

/** @param {{riffusion: {available: boolean, checkpoint?: string}} | null} server @param {string} engine */
export function engineNote(server, engine) {
  if (!server) return 'Asking the server what it can do…';
  if (!engine) return 'No engine of this server can make clips.';
  if (engine === 'riffusion') return `Riffusion makes the clips from spectrogram images (${server.riffusion.checkpoint}).`;
  const why = server.riffusion.available ? '' : 'No Riffusion checkpoint is installed here. ';
  return `${why}The engine ${engine} makes the clips, and the spectrogram is computed from their sound.`;
}

/** @param {{wanted: boolean, view: Object, gone: boolean, unreached: boolean}} now @returns {{phase: string, text: string}} */
export function status({ wanted, view, gone, unreached }) {
  if (unreached) return { phase: 'waiting', text: 'The server cannot be reached. Trying again…' };
  if (gone) return { phase: 'paused', text: 'Paused: nobody answered' };
  if (!wanted) return { phase: 'paused', text: 'Paused' };
  if (!view.segment) return { phase: 'connecting', text: view.calls.problem ? 'Trying again…' : 'Making the first clip…' };
  if (view.repeating) return { phase: 'buffering', text: 'The next clip is late: the last one repeats on its beat' };
  const ahead = view.ready.length + view.segments.filter(({ startS, repeat }) => !repeat && startS > view.heardS).length;
  return { phase: 'playing', text: ahead === 1 ? 'Playing, 1 clip ahead' : `Playing, ${ahead} clips ahead` };
}

/** @param {{step: Object | null, wanted: boolean}} now */
export function lead({ step, wanted }) {
  if (!step) return wanted ? 'Coming up' : 'Press play to begin with';
  if (step.start.prompt !== step.end.prompt && step.alpha > 0 && step.alpha < 1) {
    return `Now playing, ${Math.round(100 * step.alpha)} % on the way to “${step.end.prompt}”`;
  }
  return 'Now playing';
}

/** @param {Object | null} step @param {string} engine */
export function facts(step, engine) {
  if (!step) return [];
  return [`seed ${step.start.seed}`, `alpha ${step.alpha.toFixed(2)}`, engine];
}

/** What a screen reader is told of the picture. @param {Object | null} step @param {boolean} playing */
export function pictureLabel(step, playing) {
  if (!step) return 'A landscape that waits for music';
  return `The spectrogram of “${step.alpha > 0.5 ? step.end.prompt : step.start.prompt}”${playing ? ', rolling by' : ', standing still'}`;
}

/**
 * The one thing that the listener should know, and what to do about it; null while all is well.
 *
 * @param {{problem: Object | null, refused: boolean, behind: boolean, pace: number | null, engine: string,
 *   settings: Object, online: boolean, tokenShown: boolean}} now
 * @returns {{what: string, todo: string, actions: [string, string][]} | null} actions as event names and labels
 */
export function notice({ problem, refused, behind, pace, engine, settings, online, tokenShown }) {
  if (!online) return { what: 'You are offline.', todo: 'What you hear repeats until the network is back.', actions: [] };
  if (refused && (problem.status === 401 || problem.field === 'Authorization')) {
    const what = tokenShown ? 'This admin token is wrong.' : 'This server is public: making clips needs the admin token.';
    return { what, todo: 'Enter it in the settings, or listen to the radio, which is open to all.', actions: [['go-token', 'Enter the token']] };
  }
  if (refused) {
    return { what: `The server refuses this: ${sentence(problem.message)}`, todo: 'Change the prompt or the settings.', actions: [['try-again', 'Try again']] };
  }
  if (problem && problem.status === 429) {
    return { what: 'The server is busy with other clips.', todo: 'What you hear repeats until it is our turn.', actions: [] };
  }
  if (problem) {
    const what = problem.status ? `A clip failed: ${sentence(problem.message)}` : 'The server did not answer.';
    return { what, todo: 'It is tried again; what you hear goes on meanwhile.', actions: [] };
  }
  if (!behind) return null;
  const what = `Falling behind: music is made at ${pace.toFixed(pace < 0.1 ? 2 : 1)} times the speed at which it plays, so clips repeat.`;
  if (engine === 'riffusion') {
    const fewer = Math.max(10, Math.round(settings.numInferenceSteps / 2));
    const lower = fewer < settings.numInferenceSteps;
    return {
      what,
      todo: lower ? 'Fewer steps are faster; so is a machine with a GPU.' : 'A machine with a GPU is faster, or another model.',
      actions: [...(lower ? [['fewer-steps', `Use ${fewer} steps`]] : []), ['other-engine', 'Use another model']],
    };
  }
  if (engine === 'synth') return { what, todo: 'This machine has much to do. Other programs or stations may be using it.', actions: [] };
  return { what, todo: 'The embedded engine is fast on any machine.', actions: [['other-engine', 'Use the embedded engine']] };
}

/** @param {string} prompt */
export const asked = (prompt) => `“${prompt}” comes next.`;
export const EMPTY_PROMPT = 'Type what you want to hear, or roll the dice.';
export const COPIED = 'Copied.';
export const NOT_COPIED = 'Select the link and copy it.';
export const TOKEN = { label: 'Admin token', help: 'This server is public: making clips needs it. This tab forgets it when you close it.' };
export const LIST = { past: 'Earlier', now: 'Now', coming: 'Coming', go: (prompt) => `Go to “${prompt}”`, remove: (prompt) => `Remove “${prompt}”` };
