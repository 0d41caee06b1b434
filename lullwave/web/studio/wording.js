/** Amounts, lengths and models in words; pure. */

/** @typedef {ReturnType<import('../shared/strings.js').translator>} Translator */

/** @param {number} bytes @param {Translator} t */
export function amount(bytes, t) {
  return bytes < 1e6 ? `${bytes && Math.max(1, Math.round(bytes / 1e3))} kB` : `${t.number(bytes / 1e6, 1)} MB`;
}

/** @param {number} seconds @param {Translator} t */
export function lasting(seconds, t) {
  if (seconds < 9.95) return `${t.number(seconds, 1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** What matters first about a model here. @param {{installed: boolean, fits: boolean}} model */
export function modelState({ installed, fits }) {
  if (!fits) return 'too-large';
  return installed ? 'here' : 'fits';
}

/**
 * How far a download is, or why it ended; empty where there is none.
 *
 * @param {{state: string, done_bytes: number, total_bytes: number, left_s: number | null, error: string | null} | null} pull
 * @param {Translator} t
 */
export function pullWords(pull, t) {
  if (pull?.state === 'failed') return t('models.pull-failed', { why: pull.error });
  if (pull?.state === 'cancelled') return t('models.pull-cancelled');
  if (pull?.state !== 'pulling') return '';
  if (!pull.total_bytes) return t('models.pull-begins');
  const far = t('models.pull-far', { done: t.number(pull.done_bytes / 1e9, 2), total: t.number(pull.total_bytes / 1e9, 2) });
  return pull.left_s === null ? far : `${far} ${t('job.left', { left: lasting(pull.left_s, t) })}`;
}

/**
 * Sizes, sound and speed of a model in one sentence.
 *
 * @param {{disk_gb: number, memory_gb: number, rate: number, channels: number, speed: number, device: string}} model
 * @param {Translator} t
 */
export function modelFacts({ disk_gb, memory_gb, rate, channels, speed, device }, t) {
  const sound = t(channels === 2 ? 'models.stereo' : 'models.mono', { khz: rate / 1000 });
  return t('models.facts', { disk: disk_gb, memory: memory_gb, sound, speed, device });
}
