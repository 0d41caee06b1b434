/**
 * The words of a page in the visitor's language. All words of a language are one file in `strings/`, and a page loads
 * only that one. Elements name their words: `data-t` for the text, `data-t-label` for the label that screen readers say,
 * `data-t-placeholder` for the example in an empty field.
 */

export const LANGUAGES = { en: 'English', de: 'Deutsch' };

/** @param {Record<string, string>} words of one language, by key */
export function translator(words) {
  /** @param {string} key @param {Record<string, unknown>} [values] for the places in braces */
  const t = (key, values = {}) => {
    return (words[key] ?? key).replace(/\{(\w+)\}/g, (place, name) => String(values[name] ?? place));
  };
  /** Words for one or for many: `key.one` or `key.many`, with `n`. @param {string} key @param {number} n */
  t.count = (key, n) => t(`${key}.${n === 1 ? 'one' : 'many'}`, { n: n.toLocaleString(words['language.code']) });
  /** A number as the language writes it. @param {number} value @param {number} digits after the point */
  t.number = (value, digits) =>
    value.toLocaleString(words['language.code'], { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });
  /** The words of a key, or these if there are none. @param {string} key @param {string} otherwise */
  t.or = (key, otherwise) => words[key] ?? otherwise;
  return t;
}

/** The first language of a list that there are words for. @param {readonly string[]} wanted */
export function languageOf(wanted) {
  return wanted.map((one) => one.toLowerCase().split('-')[0]).find((one) => one in LANGUAGES) ?? 'en';
}

/** A translator for a language, which becomes the page's; its file is loaded now. @param {string} language */
export async function loadStrings(language) {
  const [code, words] = await wordsOf(language in LANGUAGES ? language : 'en');
  document.documentElement.lang = code;
  return translator(words);
}

/** The words of a language; of another one where they cannot be had, as without the server. @param {string} language */
async function wordsOf(language) {
  let failure;
  for (const code of new Set([language, ...Object.keys(LANGUAGES)])) {
    try {
      return [code, (await import(`../strings/${code}.js`)).default];
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** Write the words into every element below `root` that names some. @param {ParentNode} root @param {(key: string) => string} t */
export function translate(root, t) {
  for (const el of root.querySelectorAll('[data-t]')) el.textContent = t(el.dataset.t);
  for (const el of root.querySelectorAll('[data-t-label]')) el.setAttribute('aria-label', t(el.dataset.tLabel));
  for (const el of root.querySelectorAll('[data-t-placeholder]')) el.placeholder = t(el.dataset.tPlaceholder);
}
