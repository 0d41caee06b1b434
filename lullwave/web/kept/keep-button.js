/** A heart beside a piece: keeps it, or keeps it no longer. */

/** @param {HTMLButtonElement} el @param {{isKept: boolean, title: string}} next @param {(key: string, values?: object) => string} t */
export function showHeart(el, { isKept, title }, t) {
  const label = t(isKept ? 'kept.forget' : 'kept.keep', { title });
  if (el.getAttribute('aria-label') !== label) el.setAttribute('aria-label', label);
  el.setAttribute('aria-pressed', String(isKept));
}

/** @returns {HTMLButtonElement} */
export function heart() {
  const button = Object.assign(document.createElement('button'), { type: 'button', className: 'keep-button' });
  const sign = Object.assign(document.createElement('span'), { className: 'heart' });
  sign.setAttribute('aria-hidden', 'true');
  button.append(sign);
  return button;
}
