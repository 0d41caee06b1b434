/** The tasks as a list of links: `#text`, `#stems`… Those that cannot be done here are marked, and tell why when chosen. */

/** @param {HTMLElement} el @param {(key: string) => string} t */
export function TaskList(el, t) {
  let drawn = '';

  function linkOf({ name, available }) {
    const link = Object.assign(document.createElement('a'), { href: `#${name}`, className: 'task' });
    link.textContent = t(`task.${name}`);
    if (!available) {
      link.classList.add('-absent');
      link.append(Object.assign(document.createElement('small'), { textContent: t('task.absent') }));
    }
    return link;
  }

  return {
    /** @param {{name: string, available: boolean}[]} tasks @param {string} chosen */
    update(tasks, chosen) {
      const seen = tasks.map(({ name, available }) => `${name} ${available}`).join();
      if (seen !== drawn) el.replaceChildren(...tasks.map(linkOf)); // else the links stay, and with them the focus
      drawn = seen;
      for (const link of el.children) {
        if (link.hash !== `#${chosen}`) link.removeAttribute('aria-current');
        else {
          link.setAttribute('aria-current', 'true');
          el.scrollLeft = link.offsetLeft - el.offsetLeft - (el.clientWidth - link.offsetWidth) / 2; // of a phone's row
        }
      }
    },
  };
}
