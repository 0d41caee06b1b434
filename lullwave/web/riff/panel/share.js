/** The link that brings this music back: shown, copied, or handed to the system's own dialog. */

/** @param {HTMLElement} el @param {import('../wording.js').Translator} t */
export function Share(el, t) {
  const link = el.querySelector('.link');
  const told = el.querySelector('.told');
  link.addEventListener('focus', () => link.select());
  el.querySelector('.copy').addEventListener('click', () => void copy());

  return {
    /** @param {{url: string}} next */
    update({ url }) {
      if (link.value === url) return;
      link.value = url;
      told.textContent = '';
    },
  };

  /** Plain HTTP pages have no clipboard but the old one. */
  async function copy() {
    try {
      await navigator.clipboard.writeText(link.value);
      told.textContent = t('riff.copied');
    } catch {
      link.focus();
      link.select();
      told.textContent = t(document.execCommand('copy') ? 'riff.copied' : 'riff.not-copied');
    }
  }
}
