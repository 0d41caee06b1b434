/** The visitor's jobs as the page knows them: what changed, what is active, what can be done with each; pure. */

/**
 * @typedef {{name: string, kind: 'audio' | 'image' | 'midi' | 'json', bytes: number, seconds?: number | null, lufs?: number | null}} Result
 * @typedef {{id: string, task: string, fields: object, state: string, place: number, share: number, left_s: number | null,
 *   took_s: number | null, created: number, error: {message: string, field: string | null} | null, results: Result[],
 *   pinned: boolean, python: string}} Job
 */

const SOON_MS = 300;
const LATER_MS = 1500;

export const isActive = ({ state }) => state === 'waiting' || state === 'working';
export const canRetry = ({ state }) => state === 'failed' || state === 'cancelled';

/** When to ask the server again; null while nothing changes by itself. @param {Job[]} jobs @param {number} asked how often */
export function pollMs(jobs, asked) {
  if (!jobs.some(isActive)) return null;
  return asked < 20 ? SOON_MS : LATER_MS;
}

/** What a job is called: its prompts, its file, or its task. @param {Job} job @param {(task: string) => string} taskName */
export function titleOf({ task, fields, results, facts }, taskName) {
  const said = [fields.prompt, fields.title || facts?.title, fields.start && fields.end && `${fields.start} → ${fields.end}`].find(Boolean);
  if (said) return said;
  if (task === 'upload') return results[0]?.name ?? taskName(task);
  const file = fields.audio || fields.picture;
  return file ? `${taskName(task)}: ${file.split('/').at(-1)}` : taskName(task);
}

/** Every file of a kind, newest first, with the value that a field takes. @param {Job[]} jobs @param {string} kind */
export function filesOf(jobs, kind) {
  return jobs.flatMap((job) => job.results.filter((one) => one.kind === kind).map((one) => ({ job, result: one, value: `${job.id}/${one.name}` })));
}

/** The jobs that ended since the last time. @param {Job[]} before @param {Job[]} now */
export function endedSince(before, now) {
  const active = new Set(before.filter(isActive).map(({ id }) => id));
  return now.filter((job) => active.has(job.id) && !isActive(job));
}

/** The sound that a job is about, if it made one. @param {Job} job */
export const soundOf = ({ results }) => results.find(({ kind }) => kind === 'audio') ?? null;

/** @param {Job} job */
export const imageOf = ({ results }) => results.find(({ kind }) => kind === 'image') ?? null;
