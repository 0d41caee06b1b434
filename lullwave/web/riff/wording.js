/** The words of Riff that follow from its state, by the keys of `strings/`; pure. `t` is the translator of the page. */

import { sentence } from '../radio/wording.js';

/** @typedef {ReturnType<import('../shared/strings.js').translator>} Translator */

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

/** @param {string} name @param {string} summary */
export const engineChoice = (name, summary) => (summary ? `${name}: ${summary}` : name);

/** @param {Translator} t @param {{low?: number, high?: number, type: string}} field */
export function wrongValue(t, { low, high, type }) {
  return t(type === 'integer' ? 'riff.wrong-integer' : 'riff.wrong-number', { low, high });
}

/** @param {Translator} t @param {{riffusion: {available: boolean, loading?: boolean, checkpoint?: string}} | null} server @param {string} engine */
export function engineNote(t, server, engine) {
  if (!server) return t('riff.asking-server');
  if (!engine) return t('riff.no-engine');
  if (engine === 'riffusion') return t('riff.by-riffusion', { checkpoint: server.riffusion.checkpoint });
  const { available, loading } = server.riffusion;
  const why = available ? '' : `${t(loading ? 'riff.checkpoint-loads' : 'riff.no-checkpoint')} `;
  return why + t('riff.by-engine', { engine });
}

/**
 * How the picture is drawn, and how fast.
 *
 * @param {Translator} t @param {{view: 'landscape' | 'flat', why: '' | 'slow' | 'no-webgl' | 'calm', typicalMs: number | null}} picture
 */
export function pictureNote(t, { view, why, typicalMs }) {
  const ms = Math.round(typicalMs ?? 0);
  const words = t(`riff.view-${view}${why && `-${why}`}`, { ms });
  return view === 'landscape' && ms ? `${words} ${t('riff.frame-ms', { ms })}` : words;
}

/** @param {Translator} t @param {{wanted: boolean, view: Object, gone: boolean, unreached: boolean}} now @returns {{phase: string, text: string}} */
export function status(t, { wanted, view, gone, unreached }) {
  if (unreached) return { phase: 'waiting', text: t('riff.unreached') };
  if (gone) return { phase: 'paused', text: t('riff.gone') };
  if (!wanted) return { phase: 'paused', text: t('riff.paused') };
  if (!view.segment) return { phase: 'connecting', text: t(view.calls.problem ? 'riff.trying' : 'riff.first-clip') };
  if (view.repeating) return { phase: 'buffering', text: t('riff.repeating') };
  const ahead = view.ready.length + view.segments.filter(({ startS, repeat }) => !repeat && startS > view.heardS).length;
  return { phase: 'playing', text: t.count('riff.playing', ahead) };
}

/** @param {Translator} t @param {{step: Object | null, wanted: boolean}} now */
export function lead(t, { step, wanted }) {
  if (!step) return t(wanted ? 'riff.coming-up' : 'riff.press-play');
  if (step.start.prompt !== step.end.prompt && step.alpha > 0 && step.alpha < 1) {
    return t('riff.on-the-way', { percent: Math.round(100 * step.alpha), prompt: step.end.prompt });
  }
  return t('riff.now-playing');
}

/** @param {Translator} t @param {Object | null} step @param {string} engine */
export function facts(t, step, engine) {
  if (!step) return [];
  return [t('riff.fact-seed', { seed: step.start.seed }), t('riff.fact-alpha', { alpha: t.number(step.alpha, 2) }), engine];
}

/** What a screen reader is told of the picture. @param {Translator} t @param {Object | null} step @param {boolean} playing */
export function pictureLabel(t, step, playing) {
  if (!step) return t('riff.picture-waits');
  return t(playing ? 'riff.picture-rolls' : 'riff.picture-stands', { prompt: step.alpha > 0.5 ? step.end.prompt : step.start.prompt });
}

/**
 * The one thing that the listener should know, and what to do about it; null while all is well.
 *
 * @param {Translator} t
 * @param {{problem: Object | null, refused: boolean, behind: boolean, pace: number | null, engine: string,
 *   settings: Object, online: boolean, tokenShown: boolean}} now
 * @returns {{what: string, todo: string, actions: [string, string][]} | null} actions as event names and labels
 */
export function notice(t, { problem, refused, behind, pace, engine, settings, online, tokenShown }) {
  if (!online) return { what: t('riff.offline'), todo: t('riff.offline-todo'), actions: [] };
  if (refused && (problem.status === 401 || problem.field === 'Authorization')) {
    const what = t(tokenShown ? 'riff.wrong-token' : 'riff.no-token');
    return { what, todo: t('riff.token-todo'), actions: [['go-token', t('riff.go-token')]] };
  }
  if (refused) {
    const what = t('riff.refused', { why: sentence(problem.message) });
    return { what, todo: t('riff.refused-todo'), actions: [['try-again', t('riff.try-again')]] };
  }
  if (problem && problem.status === 429) return { what: t('riff.busy'), todo: t('riff.busy-todo'), actions: [] };
  if (problem) {
    const what = problem.status ? t('riff.failed', { why: sentence(problem.message) }) : t('riff.no-answer');
    return { what, todo: t('riff.failed-todo'), actions: [] };
  }
  if (!behind) return null;
  return { what: t('riff.behind', { pace: pace.toFixed(pace < 0.1 ? 2 : 1) }), ...faster(t, engine, settings) };
}

/** What makes clips come sooner. */
function faster(t, engine, { numInferenceSteps }) {
  if (engine === 'synth') return { todo: t('riff.faster-synth'), actions: [] };
  if (engine !== 'riffusion') return { todo: t('riff.faster-other'), actions: [['other-engine', t('riff.use-embedded')]] };
  const steps = Math.max(10, Math.round(numInferenceSteps / 2));
  const another = ['other-engine', t('riff.use-other')];
  if (steps >= numInferenceSteps) return { todo: t('riff.faster-machine'), actions: [another] };
  return { todo: t('riff.faster-steps'), actions: [['fewer-steps', t('riff.use-steps', { steps })], another] };
}
