/** Sends a listener's requests to steer, one after the other. */

import * as Steer from './steering-state.js';

/**
 * @param {{state: {steering: Steer.SteeringState}, change: (changes: object) => void, tuned: () => string, lagS: () => number}} page
 *   `tuned`: the station that is listened to; `lagS`: how long after it goes on air a change is heard here
 */
export function SteeringRequests({ state, change, tuned, lagS }) {
  const unanswered = []; // what was asked, where and with which token, and is not answered yet
  let answered = Promise.resolve(); // once all are

  /**
   * Send a request once the one before it is answered. The same words with the same token to the same station again
   * meanwhile are the same request.
   *
   * @param {{prompt: string, token: string}} request an empty prompt for the ways back
   * @param {(station: string) => Promise<object>} send
   */
  return function ask({ prompt, token }, send) {
    const station = tuned(); // where the listener is now, and may not be later
    const asked = JSON.stringify([station, prompt, token]);
    if (prompt && asked === unanswered.at(-1)) return;
    unanswered.push(asked);
    answered = answered.then(() => request(prompt, () => send(station))).then(() => unanswered.shift());
  };

  async function request(prompt, send) {
    change({ steering: Steer.sending(prompt) });
    try {
      const reply = await send();
      change({ steering: Steer.answered(state.steering, reply, lagS()) });
    } catch (error) {
      change({ steering: Steer.refused(state.steering, error) });
    }
  }
}
