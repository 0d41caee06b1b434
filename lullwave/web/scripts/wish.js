/**
 * How a component asks for something: an event that bubbles up to the radio, which decides.
 *
 * @param {HTMLElement} el @param {string} name @param {unknown} [detail]
 */
export function wish(el, name, detail) {
  el.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
}
