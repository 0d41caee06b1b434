/** The words of the radio page, made from its state; pure. */

/** @param {number | null} count */
export function tunedIn(count) {
  if (count === null) return 'Tuning in…';
  if (count === 0) return 'Nobody tuned in yet';
  return count === 1 ? '1 person tuned in' : `${count.toLocaleString('en')} people tuned in`;
}

/**
 * The state of the player in one line.
 *
 * @param {import('../player/player-state.js').PlayerState} player
 * @param {string} [station] what the station itself is doing
 * @param {boolean} [elsewhere] another tab of this browser plays
 */
export function playerStatus(player, station = 'on air', elsewhere = false) {
  if (player.refused) return 'Your browser needs a click before it plays sound. Press play.';
  if (!player.online && player.phase === 'waiting') return 'You are offline. The music comes back when the network does.';
  switch (player.phase) {
    case 'paused':
      if (elsewhere) return 'Another tab plays already. Press play to listen here instead.';
      return station === 'asleep' ? 'Asleep' : 'Paused';
    case 'connecting':
      if (player.clip) return 'Recreating that moment…';
      if (player.attempt > 0) return 'Reconnecting…';
      return station === 'on air' ? 'Tuning in…' : 'The station is waking up…';
    case 'buffering':
      return 'Buffering…';
    case 'waiting':
      if (player.answer) return `${sentence(player.answer)} Trying again soon…`;
      return 'The station cannot be reached. Trying again…';
    default:
      if (player.missed && player.answer) return `Live. That moment cannot be played now: ${player.answer}`;
      if (player.missed) return 'Live. That moment cannot be played again.';
      return player.clip ? 'Replay' : 'Live';
  }
}

/**
 * Tells which fallback tier plays or what is reduced, and why; empty while all is well.
 *
 * @param {{rung?: string, cause?: string, asked?: Object<string, unknown>}} [station]
 */
export function stationNote({ rung = 'engine', cause = 'none', asked = {} } = {}) {
  const instead = { recycled: 'replayed clips', embedded: 'the embedded engine' }[rung];
  if (!instead) {
    if (rung === 'reserve' && (cause === 'lost' || cause === 'stalled')) {
      return 'The music engine does not answer. The buffer plays; reconnecting…';
    }
    if (asked.smaller) return 'The music engine was too slow. Its smaller model plays until it is fast enough again.';
    if (Object.keys(asked).length) return 'The music engine was too slow. It plays at lower quality for now.';
    return '';
  }
  switch (cause) {
    case 'loading':
      return `The music engine is loading. Until then you hear ${instead}.`;
    case 'failed':
      return `The music engine cannot be loaded. You hear ${instead}.`;
    case 'lost':
    case 'stalled':
      return `The music engine does not answer. You hear ${instead} until it is back.`;
    default:
      return `The music engine is slow and works ahead. Meanwhile you hear ${instead}.`;
  }
}

/**
 * What the title of a piece follows.
 *
 * @param {import('../player/player-state.js').PlayerState} player
 * @param {string} [station] its name
 * @param {string} [state] what the station is doing
 */
export function lead(player, station, state) {
  if (player.clip) return player.clip.tape !== undefined ? 'On your tape' : 'From a while ago';
  if (state === 'asleep' && player.phase === 'paused') return station ? `${station} is asleep` : 'Asleep';
  const name = station ? ` on ${station}` : '';
  return player.phase === 'playing' || player.phase === 'buffering' ? `Now playing${name}` : `On air now${name}`;
}

/** What stands where no title is known. @param {import('../player/player-state.js').PlayerState} player */
export function untitled(player) {
  return player.phase === 'paused' ? 'Press play' : 'Warming up the tape…';
}

/** The server's words as a sentence. @param {string} words */
export function sentence(words) {
  return words[0].toUpperCase() + words.slice(1) + (/[.!?…]$/.test(words) ? '' : '.');
}

/** Minutes and seconds. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** How long ago, in words. @param {number} seconds */
export function ago(seconds) {
  if (seconds < 45) return 'just now';
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${Math.max(1, minutes)} min ago`;
  const hours = Math.round(minutes / 60);
  return hours < 24 ? `${hours} h ago` : `${Math.round(hours / 24)} d ago`;
}

/** A piece with its title; that of a moment in a link is not known. @param {{title?: string} | null} piece */
export const named = (piece) => piece && { ...piece, title: piece.title || 'A moment to hear again' };

/** Tempo and key of a piece, where they are known. @param {{tempo_bpm?: number, key?: string}} piece */
export function facts(piece) {
  const words = [];
  if (piece?.tempo_bpm) words.push(`${Math.round(piece.tempo_bpm)} BPM`);
  if (piece?.metre && piece.metre !== '4/4') words.push(piece.metre);
  if (piece?.key) words.push(piece.key.replace(/^([A-G])b\b/, '$1♭').replace(/^([A-G])#/, '$1♯'));
  return words;
}

/** The answer to a request. @param {import('../station/steering-state.js').SteeringState} steering */
export function steeringAnswer({ phase, prompt, heardInS, problem }) {
  switch (phase) {
    case 'sending':
      return 'Asking the station…';
    case 'turning':
      return heardIn(heardInS);
    case 'queued':
      return `Your request waits for its turn. ${heardIn(heardInS)}`;
    case 'ignored':
      return 'The station does not know these words, so the music stays as it is.';
    case 'voted':
      return `Your vote counts. The vote ends in about ${Math.max(1, Math.round(heardInS))} seconds.`;
    case 'heard':
      return `Now you hear it: “${prompt}”`;
    case 'refused':
      return problem;
    case 'dropped':
      return `Your request came to nothing: ${problem}.`;
    default:
      return '';
  }
}

/** The words of a request that had no effect, each with what may have been meant. */
export function withoutEffect({ ignored, suggestions }) {
  if (!ignored.length) return '';
  const meant = (word) => (suggestions[word] ? ` (did you mean ${suggestions[word].join(' or ')}?)` : '');
  return `No effect: ${ignored.map((word) => word + meant(word)).join(', ')}`;
}

/** When a steering will be heard. @param {number} seconds */
export function heardIn(seconds) {
  if (seconds < 0.5) return 'You will hear it any moment now.';
  const whole = Math.round(seconds);
  return `You will hear it in ${whole} ${whole === 1 ? 'second' : 'seconds'}.`;
}

/** What a listener can do who may not steer. */
const INSTEAD = 'You can choose another station, add rain or fire, or make music of your own in the Studio.';

/**
 * Who steers a station, and what it means for the others.
 *
 * @param {string | null} policy of a station; `private` for a private stream
 * @param {boolean} [frozen] nobody may, for now
 * @param {boolean} [maySteer] this listener may, without a token
 */
export function steeringPolicy(policy, frozen = false, maySteer = true) {
  if (frozen) return 'The owner has frozen the steering of this station for now. The music goes on.';
  if (policy === 'private') return 'Say how it should sound. The music changes for you alone.';
  if (policy === 'owner') return `Only the owner steers this station, with the admin token. ${INSTEAD}`;
  if (!maySteer) return `This server is public: steering needs the admin token. ${INSTEAD}`;
  if (policy === 'vote') return 'Say how it should sound. Everyone has a vote; the request with the most votes is played.';
  return 'Say how it should sound. The music changes without stopping, for everyone who listens.';
}
