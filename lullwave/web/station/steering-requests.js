/** Sends a listener's requests to steer, one after the other. */

import * as Steer from './steering-state.js';

/**
 * @param {{state: {steering: Steer.SteeringState}, change: (changes: object) => void, tuned: () => string, lagS: () => number}} page
 *   `tuned`: the station that is listened to; `lagS`: how long after it goes on air a change is heard here
 */
export function SteeringRequests({ state, change, tuned, lagS }) {
  const unanswered = []; // the words of the requests that are not answered yet
  let answered = Promise.resolve(); // once all are

  /**
   * Send a request once the one before it is answered; the same words again meanwhile are the same request.
   *
   * @param {string} prompt empty for the ways back @param {(station: string) => Promise<object>} send
   */
  return function ask(prompt, send) {
    if (prompt && prompt === unanswered.at(-1)) return;
    const station = tuned(); // where the listener is now, and may not be later
    unanswered.push(prompt);
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
