/** Amounts, lengths and models in words; pure. */

/** @param {number} bytes */
export function amount(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {number} seconds */
export function lasting(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
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
 * @param {(key: string, values?: Record<string, unknown>) => string} t
 */
export function pullWords(pull, t) {
  if (pull?.state === 'failed') return t('models.pull-failed', { why: pull.error });
  if (pull?.state === 'cancelled') return t('models.pull-cancelled');
  if (pull?.state !== 'pulling') return '';
  if (!pull.total_bytes) return t('models.pull-begins');
  const far = t('models.pull-far', { done: (pull.done_bytes / 1e9).toFixed(2), total: (pull.total_bytes / 1e9).toFixed(2) });
  return pull.left_s === null ? far : `${far} ${t('job.left', { left: lasting(pull.left_s) })}`;
}

/**
 * Sizes, sound and speed of a model in one sentence.
 *
 * @param {{disk_gb: number, memory_gb: number, rate: number, channels: number, speed: number, device: string}} model
 * @param {(key: string, values?: Record<string, unknown>) => string} t
 */
export function modelFacts({ disk_gb, memory_gb, rate, channels, speed, device }, t) {
  const sound = t(channels === 2 ? 'models.stereo' : 'models.mono', { khz: rate / 1000 });
  return t('models.facts', { disk: disk_gb, memory: memory_gb, sound, speed, device });
}
