/**
 * Sends an event from a component; it bubbles up to the radio, which handles it.
 *
 * @param {HTMLElement} el @param {string} name @param {unknown} [detail]
 */
export function emit(el, name, detail) {
  el.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
}
