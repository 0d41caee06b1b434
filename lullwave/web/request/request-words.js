/** A request as a list of words, some of them chosen from the engine's vocabulary; pure. */

/** @typedef {Record<string, string[]>} Vocabulary kind → words */

const parts = (text) => text.split(',').map((part) => part.trim()).filter(Boolean);
const same = (a, b) => a.toLowerCase() === b.toLowerCase();

/** @param {string} text @param {string} word */
export const has = (text, word) => parts(text).some((part) => same(part, word));

/** The request with a word that it lacked, or without one that it had. @param {string} text @param {string} word */
export function toggled(text, word) {
  const kept = parts(text).filter((part) => !same(part, word));
  return (has(text, word) ? kept : [...kept, word]).join(', ');
}

/** Kinds of words, and how likely a surprise has one. */
const SURPRISE = { mood: 1, instrument: 1, style: 0.5, weather: 0.5, metre: 0.25, tempo: 0.25 };

/** A request by chance. @param {Vocabulary} vocabulary @param {() => number} random in [0, 1) */
export function surprise(vocabulary, random) {
  const chosen = [];
  for (const [kind, chance] of Object.entries(SURPRISE)) {
    const words = vocabulary[kind] ?? [];
    if (words.length && random() < chance) chosen.push(words[Math.floor(random() * words.length)]);
  }
  return chosen.join(', ');
}
