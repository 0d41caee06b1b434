/** The pieces that a visitor keeps: how long each is, the list as a file, and links to a moment; pure. */

import { sceneryOf } from '../landscape/landscape.js';

/** The server renders at most this much of the past at once. */
const LONGEST_S = 300;
const MOST_AT_ONCE = 100;
const MOST_TAGS = 10;
const LONGEST_TAG = 40;
const KIND = 'lullwave-kept-pieces';

/**
 * A piece that is to be kept, once it has ended.
 *
 * @typedef {{station: string, wall: number, title: string, seconds?: number, tags?: string[]}} Wish `wall`: when it began, in seconds since 1970
 * @typedef {{fields: {station: string, at: string, seconds: number, title: string}, facts: Record<string, any>, state: string}} Job
 */

/** @param {{station: string, wall: number}} piece */
export const keyOf = ({ station, wall }) => `${station}@${wall}`;

/** @param {Job} job */
export const keyOfJob = ({ fields }) => keyOf({ station: fields.station, wall: Number(fields.at) });

/** Where a piece that is heard stands in the history: what is replayed has its time with it. */
export function entryOf(history, piece) {
  if (!piece || piece.wall != null) return piece ?? null;
  return history.find((entry) => entry.kind === 'piece' && entry.frame === piece.frame && entry.title === piece.title) ?? null;
}

/**
 * How long the piece was that began at `wall`: null while it is on air, 0 if the history does not know it.
 *
 * @param {{kind: string, run: number, frame: number, until: number | null, wall: number | null}[]} history newest first
 * @param {number} rate frames a second
 * @param {number} wall
 */
export function lengthOf(history, rate, wall) {
  const pieces = history.filter((entry) => entry.kind === 'piece' && entry.wall !== null);
  const index = pieces.findIndex((entry) => entry.wall === wall);
  if (index < 0) return 0;
  const { frame, until } = pieces[index];
  const next = pieces[index - 1];
  if (until === null && !next) return null;
  const seconds = until === null ? next.wall - wall : (until - frame) / rate;
  return Math.min(LONGEST_S, Math.floor(seconds));
}

/** What a job keeps, as the player plays it. @param {Job & {id: string, results: {name: string}[]}} job @param {(value: string) => string} fileUrl */
export function clipOf(job, fileUrl) {
  const { prompt, scene } = job.facts;
  return { ...momentOfJob(job), url: fileUrl(`${job.id}/${job.results[0].name}`), title: titleOf(job), prompt, scene };
}

/** The tags in a line of text: in small letters, each once. @param {string} text @returns {string[]} */
export function tagsIn(text) {
  const found = text.split(',').map((tag) => tag.trim().replace(/\s+/g, ' ').toLowerCase().slice(0, LONGEST_TAG));
  return [...new Set(found.filter(Boolean))].slice(0, MOST_TAGS);
}

/** @template {Job} T @param {T[]} jobs @param {Record<string, string[]>} tags by key @param {string} tag empty: all */
export const tagged = (jobs, tags, tag) => (tag ? jobs.filter((job) => tags[keyOfJob(job)]?.includes(tag)) : jobs);

/** Every tag that a piece of the list has, in order. @param {Job[]} jobs @param {Record<string, string[]>} tags by key */
export function tagsOf(jobs, tags) {
  return [...new Set(jobs.flatMap((job) => tags[keyOfJob(job)] ?? []))].sort();
}

/** @param {Job} job */
export const titleOf = ({ fields, facts }) => fields.title || facts.title || fields.station;

/** The scene of a piece: its own, which the server found in its prompt, or its station's. @param {Job['fields']} fields @param {Job['facts']} facts @param {{id: string, scene: any}[]} stations */
export const sceneOf = ({ station }, { scene }, stations) => sceneryOf(scene ?? stations.find(({ id }) => id === station)?.scene);

/** What can be made of a kept piece beside its MP3: notes and parts where the engines that played it write them. @param {Job} job */
export const formatsOf = ({ facts }) => ['flac', ...['midi', 'stems'].filter((part) => facts.writes?.includes(part))];

/** What a file of a job's sound is called in another format. @param {{results: {name: string}[]}} job @param {string} format */
export const nameAs = ({ results }, format) => results[0].name.replace(/\.\w+$/, `.${format}`);

/** @param {Job} job */
export const momentOfJob = ({ fields }) => ({ station: fields.station, wall: Number(fields.at), seconds: fields.seconds });

/** The list as others can read it. @param {Job[]} jobs @param {Record<string, string[]>} tags by key */
export function listOf(jobs, tags) {
  const pieces = jobs.map(({ fields, facts }) => ({
    title: fields.title || facts.title || '',
    prompt: facts.prompt ?? '',
    seed: facts.seed ?? null,
    station: fields.station,
    at: Number(fields.at),
    seconds: fields.seconds,
    tags: tags[keyOf({ station: fields.station, wall: Number(fields.at) })] ?? [],
  }));
  return { kind: KIND, version: 1, pieces };
}

/**
 * The pieces of a list that `listOf` made; null if it is none.
 *
 * @param {unknown} list @param {number} now in seconds since 1970
 * @returns {Wish[] | null}
 */
export function wishesOf(list, now) {
  if (list?.kind !== KIND || !Array.isArray(list.pieces)) return null;
  const found = list.pieces.slice(0, MOST_AT_ONCE).map((piece) => ({
    station: String(piece?.station ?? '').slice(0, 64),
    wall: Number(piece?.at),
    seconds: Number(piece?.seconds),
    title: String(piece?.title ?? '').slice(0, 200),
    tags: tagsIn(Array.isArray(piece?.tags) ? piece.tags.join(',') : ''),
  }));
  return found.every((one) => one.station && one.wall > 0 && one.wall < now && isLength(one.seconds)) ? found : null;
}

/** The address of a moment, which plays the same sound for anybody. @param {string} page @param {{station: string, wall: number, seconds: number}} moment */
export function momentLink(page, { station, wall, seconds }) {
  const url = new URL(page);
  url.hash = '';
  url.search = new URLSearchParams({ station, at: String(wall), seconds: String(seconds) }).toString();
  return url.href;
}

/** The moment in an address, if there is one. @param {string} search @returns {{station: string, wall: number, seconds: number} | null} */
export function momentOf(search) {
  const given = new URLSearchParams(search);
  const [wall, seconds] = [Number(given.get('at')), Number(given.get('seconds'))];
  const station = given.get('station');
  return station && wall > 0 && isLength(seconds) ? { station, wall, seconds } : null;
}

const isLength = (seconds) => seconds >= 1 && seconds <= LONGEST_S;
