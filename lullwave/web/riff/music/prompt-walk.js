/**
 * The list of prompts and the walk along it, as clips are requested; pure.
 *
 * A leg leads from one prompt to the next one of the list, or, where there is none, from one seed to the next of the
 * same prompt. `alpha` is the share of the leg: 0 is its start, 1 its end. The first clip of a walk has alpha 0; then
 * alpha grows by a step for each clip, and what goes beyond 1 is the beginning of the next leg.
 *
 * @typedef {{id: number, prompt: string}} Entry
 * @typedef {{entries: Entry[], at: number, seed: number, alpha: number | null, serial: number}} Walk
 *   `at` is the id of the entry that the leg starts from; `alpha` is null before the first clip
 * @typedef {{start: {prompt: string, seed: number}, end: {prompt: string, seed: number}, alpha: number,
 *   entry: number, toward: number}} Step what one clip is made from; `entry` and `toward` are ids
 */

export const MOST_PAST = 40; // entries that are kept behind the current one
export const MOST_COMING = 30;
const BEYOND = 1 + 1e-3; // alpha from which on a new leg begins, so that 10 x 0.1 is still 1

/** @param {string[]} prompts at least one @param {number} seed @returns {Walk} */
export function begin(prompts, seed) {
  const entries = prompts.slice(0, MOST_COMING + 1).map((prompt, n) => ({ id: n + 1, prompt }));
  return { entries, at: 1, seed, alpha: null, serial: entries.length };
}

/** The next clip, and the walk after it. @param {Walk} walk @param {number} stepSize @returns {{walk: Walk, step: Step}} */
export function next(walk, stepSize) {
  let alpha = walk.alpha === null ? 0 : rounded(walk.alpha + stepSize);
  let moved = walk;
  while (alpha > BEYOND) {
    alpha = rounded(alpha - 1);
    moved = onward(moved);
  }
  moved = { ...moved, alpha: Math.min(1, alpha) };
  return { walk: moved, step: stepOf(moved) };
}

/** @param {Walk} walk @returns {Step} */
export function stepOf(walk) {
  const [from, to] = [entryOf(walk, walk.at), after(walk)];
  return {
    start: { prompt: from.prompt, seed: walk.seed },
    end: to ? { prompt: to.prompt, seed: walk.seed } : { prompt: from.prompt, seed: walk.seed + 1 },
    alpha: walk.alpha ?? 0,
    entry: from.id,
    toward: (to ?? from).id,
  };
}

/** The same list, at the place of another state of the walk: where clips behind it were thrown away. */
export function back(walk, { at, seed, alpha }) {
  return walk.entries.some(({ id }) => id === at) ? { ...walk, at, seed, alpha } : walk;
}

/** A prompt at the end of the list. @param {Walk} walk @param {string} prompt */
export function add(walk, prompt) {
  if (coming(walk).length >= MOST_COMING) return walk;
  const serial = walk.serial + 1;
  return { ...walk, serial, entries: [...walk.entries, { id: serial, prompt }] };
}

/**
 * A prompt as the very next one: the leg that begins now leads to it. On the way to another prompt, the nearer of the
 * two is where it starts. Before the first clip the walk begins with it.
 *
 * @param {Walk} walk @param {string} prompt
 */
export function ask(walk, prompt) {
  const there = walk.alpha !== null && walk.alpha >= 0.5 && after(walk) ? onward(walk) : walk;
  const serial = there.serial + 1;
  const place = there.entries.findIndex(({ id }) => id === there.at) + 1;
  const entries = [...there.entries.slice(0, place), { id: serial, prompt }, ...there.entries.slice(place)];
  const kept = entries.slice(0, place + 1 + MOST_COMING);
  const silent = there.alpha === null;
  return trimmed({ ...there, serial, entries: kept, at: silent ? serial : there.at, alpha: silent ? null : 0 });
}

/** Go on from an entry of the list, past or coming. @param {Walk} walk @param {number} id */
export function jump(walk, id) {
  if (!walk.entries.some((entry) => entry.id === id)) return walk;
  return trimmed({ ...walk, at: id, alpha: null });
}

/** Drop a coming entry. @param {Walk} walk @param {number} id */
export function remove(walk, id) {
  if (!coming(walk).some((entry) => entry.id === id)) return walk;
  return { ...walk, entries: walk.entries.filter((entry) => entry.id !== id) };
}

/** The entries after the one that the leg starts from. @param {Walk} walk */
export function coming(walk) {
  return walk.entries.slice(walk.entries.findIndex(({ id }) => id === walk.at) + 1);
}

/** Start the walk anew from another seed, at the same entry. @param {Walk} walk @param {number} seed */
export function reseed(walk, seed) {
  return { ...walk, seed, alpha: null };
}

function onward(walk) {
  const to = after(walk);
  return trimmed(to ? { ...walk, at: to.id } : { ...walk, seed: walk.seed + 1 });
}

function entryOf(walk, id) {
  return walk.entries.find((entry) => entry.id === id);
}

function after(walk) {
  return coming(walk)[0];
}

function trimmed(walk) {
  const extra = walk.entries.findIndex(({ id }) => id === walk.at) - MOST_PAST;
  return extra > 0 ? { ...walk, entries: walk.entries.slice(extra) } : walk;
}

function rounded(alpha) {
  return Math.round(alpha * 1e6) / 1e6;
}
