/**
 * Which scenery is shown: that of the prompt that is heard, which is heard seconds after the server told of it. Pure.
 */

import { sceneryOf } from './landscape.js';

/** How many prompts' sceneries are remembered. */
const MOST = 100;

/**
 * @typedef {import('./landscape.js').Scenery} Scenery
 * @typedef {{known: Map<string, Scenery>, station: string | null, shown: Scenery}} HeardScenery
 */

/** @type {HeardScenery} */
export const NOTHING = Object.freeze({ known: new Map(), station: null, shown: sceneryOf(null) });

const key = (station, prompt) => `${station} ${prompt}`;

/** What a list of stations tells. @param {HeardScenery} state @param {{id: string, prompt: string, scene: any}[]} stations @returns {HeardScenery} */
export function learnt(state, stations) {
  const news = stations.map((one) => [key(one.id, one.prompt), sceneryOf(one.scene)]);
  return { ...state, known: new Map([...state.known, ...news].slice(-MOST)) };
}

/** A station plays whose pieces bring their own scenery. @param {HeardScenery} state @param {{id: string, scene: any}} here @returns {HeardScenery} */
export const brought = (state, here) => ({ ...state, station: here.id, shown: sceneryOf(here.scene) });

/**
 * A prompt is heard. While its scenery is not known yet, the one before stays; another station begins with its own.
 *
 * @param {HeardScenery} state @param {{id: string, scene: any} | undefined} here @param {string} prompt @returns {HeardScenery}
 */
export function heard(state, here, prompt) {
  if (!here) return state;
  const before = state.station === here.id ? state.shown : sceneryOf(here.scene);
  return { ...state, station: here.id, shown: state.known.get(key(here.id, prompt)) ?? before };
}
