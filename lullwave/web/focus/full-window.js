/** The view from the window filling the page, with a clock and a focus timer; Escape leads back. */

import * as Focus from './focus-state.js';
import { clock } from '../radio/wording.js';

const TICK_MS = 500;

/**
 * @param {HTMLElement} el @param {HTMLElement} page gets the class `-full` while the view fills it
 * @param {HTMLButtonElement} toggler
 * @param {ReturnType<import('../shared/preferences.js').Preferences>} preferences
 * @param {ReturnType<import('../shared/strings.js').translator>} t
 */
export function FullWindow(el, page, toggler, preferences, t) {
  const find = (selector) => el.querySelector(selector);
  const time = new Intl.DateTimeFormat(document.documentElement.lang, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const now = () => Date.now() / 1000;
  let focus = Focus.at(Focus.remembered(preferences.read('focus', {})), now());

  toggler.addEventListener('click', toggle);
  document.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape' && !el.hidden && !document.querySelector('dialog[open]')) toggle();
  });
  find('.start').addEventListener('click', () => {
    keep(focus.phase === 'off' ? Focus.begin(now()) : Focus.OFF);
    show();
  });
  setInterval(show, TICK_MS);
  show();
  return { toggle };

  function toggle() {
    el.hidden = !el.hidden;
    page.classList.toggle('-full', !el.hidden);
    toggler.setAttribute('aria-pressed', String(!el.hidden));
    if (!document.activeElement.checkVisibility()) toggler.focus(); // the keyboard's place has gone
    show();
  }

  function keep(state) {
    focus = state;
    preferences.write('focus', state);
  }

  function show() {
    const current = Focus.at(focus, now());
    if (current !== focus) keep(current);
    if (el.hidden) return;
    put(find('.clock'), time.format(new Date()));
    put(find('.left'), clock(Focus.leftS(focus, now())));
    put(find('.phase'), t(`focus.${focus.phase}`, { round: focus.round, rounds: Focus.ROUNDS }));
    put(find('.start'), t(focus.phase === 'off' ? 'focus.start' : 'focus.stop'));
  }
}

function put(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
