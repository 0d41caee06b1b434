/** How often the cat has been spoken to, and what that earns; pure. */

export const FRIENDS_AT = 100;

/** @typedef {{meows: number, justEarned: boolean}} MeowState */

/** @param {number} meows @returns {MeowState} */
export const remembered = (meows) => ({ meows: Math.max(0, Math.floor(meows)), justEarned: false });

/** One more meow. @param {MeowState} state @returns {MeowState} */
export function meowed({ meows }) {
  return { meows: meows + 1, justEarned: meows + 1 === FRIENDS_AT };
}

/** What a screen reader and a hint say of the cat. @param {(key: string, values?: object) => string} t @param {MeowState} state */
export function catHint(t, { meows }) {
  if (meows === 0) return t('scene.hello');
  return t(meows < FRIENDS_AT ? 'scene.meows' : 'scene.friends', { meows, friends: FRIENDS_AT });
}
