/** What the page remembers between visits; forgets quietly where the browser allows no storage. */

const PREFIX = 'lullwave.';

/** @param {Storage | null} storage */
export function Preferences(storage) {
  return {
    /** @template T @param {string} name @param {T} fallback @returns {T} */
    read(name, fallback) {
      try {
        const text = storage?.getItem(PREFIX + name) ?? null;
        const value = text === null ? fallback : JSON.parse(text);
        return typeof value === typeof fallback ? value : fallback;
      } catch {
        return fallback;
      }
    },
    /** @param {string} name @param {unknown} value */
    write(name, value) {
      try {
        storage?.setItem(PREFIX + name, JSON.stringify(value));
      } catch {
        // Private windows and full disks: the page works on, and forgets.
      }
    },
  };
}

/** The browser's own storage, or nothing where even asking for it is forbidden. */
export function browserStorage() {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}

/** Storage that is forgotten with the tab. */
export function visitStorage() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}
