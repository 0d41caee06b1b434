/** What each event of a station's stream changes in the page's state. */

import { LEARNED } from './event-feed.js';
import { measure } from '../scene/band-levels.js';
import * as Private from './private-state.js';
import * as Steer from './steering-state.js';
import * as Time from '../player/timeline.js';

const SCENE_WITHIN_MS = 2_000; // the scene of a request is asked for within this; the request is heard later

/**
 * @param {object} page
 * @param {object} page.state the present one
 * @param {string} page.listener
 * @param {(news: object) => void} page.tune @param {(news: object) => void} page.learn
 * @param {() => unknown} page.refreshStations @param {() => unknown} page.refreshQueue @param {() => void} page.update
 * @returns {(kind: string, data: any) => void}
 */
export function stationNews({ state, listener, tune, learn, refreshStations, refreshQueue, update }) {
  return (kind, data) => {
    switch (kind) {
      case 'hello':
        state.timeline = Time.greet(state.timeline, data);
        void refreshStations();
        void refreshQueue();
        break;
      case 'queue':
        state.queue = { ...state.queue, ...data };
        break;
      case 'dropped':
        state.steering = Steer.dropped(state.steering, data);
        break;
      case 'first':
        if (data.listener === listener) state.timeline = Time.begin(state.timeline, data.frame);
        break;
      case 'piece':
      case 'steer':
        state.timeline = Time.stamp(state.timeline, { ...data, kind });
        break;
      case 'bands':
        state.timeline = Time.advance(state.timeline, data.frame);
        state.bands = measure(state.bands, data);
        return;
      case 'ended':
        tune({ private: Private.ended(data.reason) });
        return;
      case 'programme':
        learn({ steered: data.steered });
        setTimeout(refreshQueue, SCENE_WITHIN_MS * Math.random()); // not all listeners at once
        return;
      default:
        if (kind in LEARNED) learn(LEARNED[kind](data));
        return;
    }
    update();
  };
}
