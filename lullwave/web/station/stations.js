/** The choice of a station: radio buttons, so that arrow keys and screen readers know them. */

import { emit } from '../shared/emit.js';
import { sceneryOf } from '../landscape/landscape.js';
import { Picture } from '../landscape/picture.js';
import { isDark } from '../shared/theme.js';

/** @param {HTMLElement} el @param {ReturnType<import('../shared/strings.js').translator>} t */
export function Stations(el, t) {
  const list = el.querySelector('.list');
  let pictures = [];
  let shape = '';

  list.addEventListener('change', (event) => emit(el, 'choose-station', event.target.value));

  return {
    /** @param {{stations: any[], station: string | null}} next */
    update({ stations, station }) {
      el.hidden = stations.length === 0;
      const ids = stations.map((s) => s.id).join(' ');
      if (ids !== shape) {
        shape = ids;
        list.replaceChildren(...stations.map(row));
        pictures = [...list.querySelectorAll('.picture')].map(Picture);
      }
      for (const [index, one] of stations.entries()) {
        show(t, list.children[index], one, one.id === station);
        pictures[index].update({ scenery: sceneryOf(one.scene), dark: isDark() });
      }
    },
  };
}

function row({ id }) {
  const item = document.createElement('div');
  item.innerHTML = /* html */ `
    <label class="station">
      <input type="radio" name="station" />
      <canvas class="picture" width="96" height="72" aria-hidden="true"></canvas>
      <span class="words"><span class="name"></span><span class="about"></span></span>
      <span class="count"></span>
    </label>`;
  item.querySelector('input').value = id;
  return item;
}

function show(t, item, one, chosen) {
  item.querySelector('input').checked = chosen;
  put(item, '.name', one.name);
  put(item, '.about', one.prompt);
  const awake = one.listeners > 0 || one.pieces > 0;
  const listening = one.pieces ? `♥ ${one.pieces}` : String(one.listeners);
  put(item, '.count', awake ? listening : one.busy ? t('stations.busy') : 'z z');
  const asleep = one.busy ? 'stations.busy-why' : 'stations.asleep-why';
  const about = one.pieces ? t('tape.only-you') : t.count('stations.listening', one.listeners);
  item.querySelector('.count').title = awake ? about : t(asleep);
  item.classList.toggle('-asleep', !awake);
}

function put(item, selector, text) {
  const target = item.querySelector(selector);
  if (target.textContent !== text) target.textContent = text;
}
