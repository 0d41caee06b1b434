/** The words of the radio page that follow from its state, by the keys of `strings/`; pure. `t` is the translator of the page. */

import { toldS } from '../station/steering-state.js';

/** @typedef {ReturnType<import('../shared/strings.js').translator>} Translator */

/** @param {Translator} t @param {number | null} count */
export function tunedIn(t, count) {
  if (count === null) return t('listeners.unknown');
  return count === 0 ? t('listeners.none') : t.count('listeners.tuned-in', count);
}

/**
 * The state of the player in one line.
 *
 * @param {Translator} t
 * @param {import('../player/player-state.js').PlayerState} player
 * @param {string} [station] what the station itself is doing
 * @param {boolean} [elsewhere] another tab of this browser plays
 */
export function playerStatus(t, player, station = 'on air', elsewhere = false) {
  if (player.refused) return t('status.refused');
  if (!player.online && player.phase === 'waiting') return t('status.offline');
  switch (player.phase) {
    case 'paused':
      if (elsewhere) return t('status.elsewhere');
      return t(station === 'asleep' ? 'status.asleep' : 'status.paused');
    case 'connecting':
      if (player.clip && !player.clip.isOnTape) return t('status.recreating');
      if (player.attempt > 0) return t('status.again');
      return t(station === 'on air' || station === 'yours' ? 'status.connecting' : 'status.waking');
    case 'buffering':
      return t('status.buffering');
    case 'waiting':
      return player.answer ? t('status.answered', { answer: sentence(player.answer) }) : t('status.waiting');
    default:
      if (player.missed && player.answer) return t('status.missed-why', { answer: player.answer });
      if (player.missed) return t('status.missed');
      if (player.clip?.isOnTape) return t('status.tape');
      return t(player.clip ? 'status.replay' : 'status.playing');
  }
}

/** What a note says of each cause; of any other: the engine is slow. */
const CAUSES = { loading: 'note.loading', failed: 'note.failed', lost: 'note.lost', stalled: 'note.lost' };

/**
 * Tells which fallback tier plays or what is reduced, and why; empty while all is well.
 *
 * @param {Translator} t
 * @param {{rung?: string, cause?: string, asked?: Object<string, unknown>}} [station]
 */
export function stationNote(t, { rung = 'engine', cause = 'none', asked = {} } = {}) {
  if (rung === 'recycled' || rung === 'embedded') return t(CAUSES[cause] ?? 'note.slow', { instead: t(`note.${rung}`) });
  if (rung === 'reserve' && (cause === 'lost' || cause === 'stalled')) return t('note.buffer');
  if (asked.smaller) return t('note.smaller');
  return Object.keys(asked).length ? t('note.lighter') : '';
}

/**
 * What the title of a piece follows.
 *
 * @param {Translator} t
 * @param {import('../player/player-state.js').PlayerState} player
 * @param {string} [station] its name
 * @param {string} [state] what the station is doing
 * @param {boolean} [isPast] a moment of the past waits to be played
 */
export function lead(t, player, station, state, isPast = false) {
  if (player.clip?.isOnTape || state === 'yours') return t('piece.on-tape');
  if (player.clip || isPast) return t('piece.past');
  const on = (key) => t(station ? `${key}-on` : key, { station });
  if (state === 'asleep' && player.phase === 'paused') return on('piece.asleep');
  return on(player.phase === 'playing' || player.phase === 'buffering' ? 'piece.playing' : 'piece.on-air');
}

/** What stands where no title is known. @param {Translator} t @param {import('../player/player-state.js').PlayerState} player */
export const untitled = (t, player) => t(player.phase === 'paused' ? 'piece.press-play' : 'piece.warming-up');

/** The server's words as a sentence. @param {string} words */
export function sentence(words) {
  return words[0].toUpperCase() + words.slice(1) + (/[.!?…]$/.test(words) ? '' : '.');
}

/**
 * What the engine understood, in the page's language: the engine tells it in English, in clauses. What it did not understand is
 * said apart from it.
 *
 * @param {Translator} t @param {string} text
 */
export function understoodWords(t, text) {
  const word = (one) => (/^[A-G][b#]? (major|minor)$/.test(one) ? keyOf(t, one) : t.or(`word.${one}`, one));
  const words = (list) => list.split(/(, | \(|\)| and )/).map((one) => (one === ' and ' ? ` ${t('steering.and')} ` : word(one))).join('');
  const said = (clause) => {
    const [, missing, instead] = /^no (.+) here: (.+) instead$/.exec(clause) ?? [];
    if (missing) return t('request.stand-in', { word: missing, instead: word(instead) });
    const [, crowded] = /^no room for (.+)$/.exec(clause) ?? [];
    if (crowded) return t('request.no-room', { word: word(crowded) });
    const [, first, rest] = /^(without|with|only|more|less|not in|in) (.+)$/.exec(clause) ?? [];
    return first && t.or(`word.${clause}`, '') === '' ? `${word(first)} ${words(rest)}` : words(clause);
  };
  return text.split('; ').filter((clause) => !clause.startsWith('not understood: ')).map(said).join('; ');
}

/** Minutes and seconds. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** How long ago, in words. @param {Translator} t @param {number} seconds */
export function ago(t, seconds) {
  if (seconds < 45) return t('ago.now');
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return t('ago.minutes', { n: Math.max(1, minutes) });
  const hours = Math.round(minutes / 60);
  return hours < 24 ? t('ago.hours', { n: hours }) : t.count('ago.days', Math.round(hours / 24));
}

/** A piece with its title; that of a moment in a link is not known. @param {Translator} t @param {{title?: string} | null} piece */
export const named = (t, piece) => piece && { ...piece, title: piece.title || t('piece.moment') };

/** Tempo, metre and key of a piece, where they are known. @param {Translator} t @param {{tempo_bpm?: number, metre?: string, key?: string} | null} piece */
export function facts(t, piece) {
  const words = [];
  if (piece?.tempo_bpm) words.push(t('piece.tempo', { bpm: Math.round(piece.tempo_bpm) }));
  if (piece?.metre && piece.metre !== '4/4') words.push(piece.metre);
  if (piece?.key) words.push(keyOf(t, piece.key));
  return words;
}

/** A key in the language's own names of tones. @param {Translator} t @param {string} key such as `Bb minor` */
function keyOf(t, key) {
  const [, note, accidental, rest = ''] = /^([A-G])([b#]?)(?: (.*))?$/.exec(key) ?? [];
  if (!note) return key;
  const tonic = t.or(`tonic.${note}${accidental}`, note + { '': '', b: '♭', '#': '♯' }[accidental]);
  return ['major', 'minor'].includes(rest) ? t(`piece.${rest}`, { tonic }) : `${tonic} ${rest}`.trim();
}

/** The answer to a request. @param {Translator} t @param {import('../station/steering-state.js').SteeringState} steering */
export function steeringAnswer(t, { phase, prompt, heardInS, problem }) {
  switch (phase) {
    case 'sending':
      return t('steering.sending');
    case 'turning':
      return heardIn(t, heardInS);
    case 'queued':
      return t('steering.queued', { when: heardIn(t, heardInS) });
    case 'ignored':
      return t('steering.ignored');
    case 'voted':
      return t('steering.voted', { n: Math.max(1, Math.round(heardInS)) });
    case 'heard':
      return t('steering.heard', { prompt });
    case 'refused':
      return problem && sentence(problem);
    case 'dropped':
      return t('steering.dropped', { problem });
    default:
      return '';
  }
}

/**
 * The words of a request that had no effect, each with what may have been meant.
 *
 * @param {Translator} t @param {{ignored: string[], suggestions: Record<string, string[]>}} understood
 */
export function withoutEffect(t, { ignored, suggestions }) {
  if (!ignored.length) return '';
  const known = (word) => suggestions[word].join(` ${t('steering.or')} `);
  const meant = (word) => (suggestions[word] ? t('steering.meant', { word, words: known(word) }) : word);
  return t('steering.no-effect', { words: ignored.map(meant).join(', ') });
}

/** When a steering will be heard. @param {Translator} t @param {number} seconds */
export function heardIn(t, seconds) {
  return toldS(seconds) < 0.5 ? t('steering.heard-soon') : t.count('steering.heard-in', toldS(seconds));
}

/**
 * Who steers a station, and what it means for the others; to those who may not: what they can do instead.
 *
 * @param {Translator} t
 * @param {string | null} policy of a station; `private` for a private stream
 * @param {boolean} [frozen] nobody may, for now
 * @param {boolean} [maySteer] this listener may, without a token
 */
export function steeringPolicy(t, policy, frozen = false, maySteer = true) {
  const instead = t('steering.instead');
  if (frozen) return t('steering.frozen');
  if (policy === 'private') return t('steering.private');
  if (policy === 'owner') return t('steering.owner', { instead });
  if (!maySteer) return t('steering.public', { instead });
  return t(policy === 'vote' ? 'steering.vote' : 'steering.everyone');
}
