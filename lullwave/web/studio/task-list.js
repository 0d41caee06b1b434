/** The tasks as a list of links: `#text`, `#stems`… Those that cannot be done here are marked, and tell why when chosen. */

/** @param {HTMLElement} el @param {(key: string) => string} t */
export function TaskList(el, t) {
  return {
    /** @param {{name: string, available: boolean}[]} tasks @param {string} chosen */
    update(tasks, chosen) {
      el.replaceChildren(
        ...tasks.map(({ name, available }) => {
          const link = Object.assign(document.createElement('a'), { href: `#${name}`, className: 'task' });
          link.textContent = t(`task.${name}`);
          if (!available) {
            link.classList.add('-absent');
            link.append(Object.assign(document.createElement('small'), { textContent: t('task.absent') }));
          }
          if (name === chosen) link.setAttribute('aria-current', 'true');
          return link;
        }),
      );
    },
  };
}
