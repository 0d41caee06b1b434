/**
 * Keeps pieces for the visitor: each waits until it has ended, becomes a job of the server, and is pinned there.
 *
 * What waits survives a reload. One is handed in after the other; a server that is busy is asked again.
 */

import { keyOf, keyOfJob, lengthOf } from './kept-state.js';

const SOON_MS = 2_000;
const ON_AIR_MS = 8_000;

/** Statuses that say "not now": unreachable, too many, busy. */
const LATER = [0, 429, 503];

/**
 * @typedef {object} Keeping
 * @property {import('./kept-state.js').Job[]} pieces jobs, newest first
 * @property {import('./kept-state.js').Wish[]} waiting
 * @property {string} problem the last one, in words
 * @property {boolean} mayKeep
 * @property {Record<string, string[]>} tags of pieces, by key; only this browser has them
 * @property {{bytes: number, count: number}} most what one visitor may keep
 */

/** @type {Keeping} */
export const NOTHING_KEPT = Object.freeze({ pieces: [], waiting: [], problem: '', mayKeep: true, tags: {}, most: { bytes: 0, count: 0 } });

/**
 * @param {object} options
 * @param {ReturnType<import('../studio/jobs-api.js').JobsApi>} options.jobs
 * @param {(station: string) => Promise<{history: object[], rate: number}>} options.history
 * @param {ReturnType<import('../shared/preferences.js').Preferences>} options.preferences
 * @param {ReturnType<import('../shared/strings.js').translator>} options.t
 * @param {(keeping: Keeping) => void} options.onNews
 * @param {(run: () => void, ms: number) => unknown} [options.after] `setTimeout`
 */
export function KeptPieces({ jobs, history, preferences, t, onNews, after = (run, ms) => setTimeout(run, ms) }) {
  let keeping = { ...NOTHING_KEPT, waiting: preferences.read('keeping', []), tags: preferences.read('keptTags', {}) };
  let isDue = false;

  if (keeping.waiting.length || preferences.read('keeps', false)) void round();

  function tell(news) {
    keeping = { ...keeping, ...news };
    preferences.write('keeping', keeping.waiting);
    if (news.tags) preferences.write('keptTags', keeping.tags);
    if (keeping.pieces.length) preferences.write('keeps', true);
    onNews(keeping);
  }

  const without = (wish) => keeping.waiting.filter((one) => keyOf(one) !== keyOf(wish));
  const jobOf = (wish) => keeping.pieces.find((job) => keyOfJob(job) === keyOf(wish));

  /** Hand in what has ended, look what became of the rest, and come again while anything is on its way. */
  async function round() {
    isDue = false;
    try {
      await handIn();
      await look();
    } catch (error) {
      if (!LATER.includes(error.status)) tell({ problem: error.message });
    }
    comeAgain();
  }

  function comeAgain() {
    const active = keeping.pieces.some(({ state }) => state === 'waiting' || state === 'working');
    if (isDue || !(active || keeping.waiting.length)) return;
    isDue = true;
    after(round, active ? SOON_MS : ON_AIR_MS);
  }

  async function look() {
    const { jobs: all, may_make: mayKeep, most_pinned_bytes: bytes, most_pinned: count } = await jobs.list();
    tell({ pieces: all.filter(({ task }) => task === 'moment'), mayKeep, most: { bytes, count } });
  }

  async function handIn() {
    const histories = {};
    for (const wish of keeping.waiting) {
      histories[wish.station] ??= wish.seconds ? null : await history(wish.station);
      const known = histories[wish.station];
      const seconds = wish.seconds ?? lengthOf(known.history, known.rate, wish.wall);
      if (seconds === null) continue; // it is on air
      if (seconds < 1) tell({ waiting: without(wish), problem: t('kept.gone') });
      else if (!(await handedIn(wish, seconds))) return;
    }
  }

  /** Whether the server took a piece, or never will. */
  async function handedIn(wish, seconds) {
    const { station, wall, title } = wish;
    try {
      const job = await jobs.create('moment', { station, at: String(wall), seconds, title });
      tell({ waiting: without(wish), pieces: [job, ...keeping.pieces], problem: '' });
      await jobs.pin(job.id, true);
    } catch (error) {
      if (LATER.includes(error.status)) return false;
      if (error.field !== 'at') tell({ waiting: without(wish), problem: error.message }); // `at`: it has not ended
    }
    return true;
  }

  return {
    /** Keep a piece, or keep it no longer. @param {import('./kept-state.js').Wish} wish */
    async toggle(wish) {
      const job = jobOf(wish);
      if (job) return this.forget(job);
      if (keeping.waiting.some((one) => keyOf(one) === keyOf(wish))) return tell({ waiting: without(wish) });
      return this.add([wish]);
    },
    /** @param {import('./kept-state.js').Wish[]} wishes those that are kept already are left out */
    async add(wishes) {
      try {
        await look();
        const different = [...new Map(wishes.map((wish) => [keyOf(wish), wish])).values()];
        const fresh = different.filter((wish) => !jobOf(wish) && without(wish).length === keeping.waiting.length);
        const read = Object.fromEntries(wishes.filter(({ tags }) => tags?.length).map((wish) => [keyOf(wish), wish.tags]));
        const tags = { ...keeping.tags, ...read };
        if (keeping.mayKeep) tell({ waiting: [...keeping.waiting, ...fresh], tags, problem: '' });
        await handIn();
      } catch (error) {
        tell({ problem: error.message });
      }
      comeAgain();
    },
    /** @param {import('./kept-state.js').Job} job */
    async forget(job) {
      try {
        await jobs.remove(job.id);
        tell({ pieces: keeping.pieces.filter(({ id }) => id !== job.id) });
      } catch (error) {
        tell({ problem: error.message });
      }
    },
    /** @param {string} key of a piece @param {string[]} tags */
    tag(key, tags) {
      const { [key]: _, ...others } = keeping.tags;
      tell({ tags: tags.length ? { ...others, [key]: tags } : others });
    },
    /** @param {string} problem */
    complain: (problem) => tell({ problem }),
  };
}
