/**
 * The view from the window: a place whose lights follow the music that is heard, the weather, and the things on
 * the sill. Drawn as pixels, twelve times a second while something moves.
 */

import { settle } from './band-levels.js';
import { coloursOf, paintLive, paintStill, PLAIN, SILENT } from '../landscape/landscape.js';
import { rectOn } from '../landscape/picture.js';
import { circle } from '../landscape/sky.js';
import { paint } from './pixel-sprites.js';
import { BOOKS, LANTERN, MUG, NOTE, PLANT, RADIO } from './room-sprites.js';
import { DAY, NIGHT, THINGS } from './scene-palette.js';
import { isDark } from '../shared/theme.js';

const HEIGHT = 124;
const GROUND = 104; // where the glass ends and the sill begins
const FRAME_MS = 1000 / 12;
const DREAMY = 0.15; // how fast things move outside while nothing is heard

/** @param {HTMLElement} el @param {() => number[]} readLevels what the sixteen bands are at right now */
export function Scene(el, readLevels) {
  const canvas = el.querySelector('.view');
  const context = canvas.getContext('2d');
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const rect = rectOn(context);
  const backdrop = document.createElement('canvas');
  let state = { playing: false, layers: SILENT, scenery: PLAIN };
  let levels = [];
  let width = 0;
  let colours = NIGHT; // of the room
  let outside = NIGHT;
  let drawnAt = 0;
  let clockS = 0; // of what moves outside; slow while nothing is heard
  let visible = true;

  new ResizeObserver(fit).observe(el);
  new IntersectionObserver(([entry]) => (visible = entry.isIntersecting)).observe(el);
  setInterval(() => requestAnimationFrame(animate), FRAME_MS);

  return {
    /** @param {{playing: boolean, layers: import('../landscape/landscape.js').Layers, scenery: import('../landscape/landscape.js').Scenery}} next */
    update(next) {
      const dark = isDark();
      const sky = coloursOf(next.scenery.time, dark);
      const elsewhere = sky !== outside || next.scenery.place !== state.scenery.place;
      const changed = elsewhere || (dark ? NIGHT : DAY) !== colours || next.playing !== state.playing || !same(next.layers, state.layers);
      state = next;
      colours = dark ? NIGHT : DAY;
      outside = sky;
      if (elsewhere) drawBackdrop();
      if (changed) draw(performance.now());
    },
  };

  function fit() {
    const room = el.clientWidth;
    if (!room) return;
    const scale = Math.max(2, Math.round(room / 290));
    width = Math.ceil(room / scale);
    el.style.setProperty('--px', `${scale}px`);
    el.style.setProperty('--sleeper-x', String(place('sleeper')));
    el.style.setProperty('--sitter-x', String(place('sitter')));
    for (const one of [canvas, backdrop]) Object.assign(one, { width, height: HEIGHT });
    drawBackdrop();
    draw(performance.now());
  }

  /** Where things stand on the sill, from the left, in pixels of the picture. */
  function place(thing) {
    const roomy = width >= 250;
    const at = roomy
      ? { plant: 26, sleeper: 52, lantern: width * 0.35, mug: width * 0.42, books: width * 0.52, sitter: width * 0.52 + 26, radio: width - 58 }
      : { plant: 4, sleeper: 24, lantern: 59, mug: width * 0.41, books: -99, sitter: width * 0.54, radio: width - 32 };
    return Math.round(at[thing]);
  }

  function animate(now) {
    if (!visible || still.matches) return;
    if (!isResting() || now - drawnAt > FRAME_MS * 4) draw(now);
  }

  function isResting() {
    return !state.playing && Object.values(state.layers).every((level) => level === 0) && levels.every((level) => level === 0);
  }

  function draw(now) {
    if (!width) return;
    const elapsedS = Math.min(1, Math.max(0, now - drawnAt) / 1000); // clocks of frames may lag behind
    drawnAt = now;
    if (!still.matches) clockS += elapsedS * (isResting() ? DREAMY : 1);
    const moving = state.playing && !still.matches;
    levels = settle(levels.length ? levels : readLevels(), moving ? readLevels() : readLevels().fill(0), elapsedS);
    context.drawImage(backdrop, 0, 0);
    paintLive(rect, view(still.matches ? 0 : clockS), state.scenery, state.layers);
    drawRoom(now);
  }

  function drawBackdrop() {
    paintStill(rectOn(backdrop.getContext('2d')), view(0), state.scenery);
  }

  /** What is outside now; its middle is beside the window's cross. @param {number} nowS */
  function view(nowS) {
    return { width, ground: GROUND, centre: Math.round(width * 0.66), colours: outside, levels, nowS };
  }

  function drawRoom(now) {
    const centre = Math.round(width / 2);
    rect(colours.frameDark, 0, 0, width, 7);
    rect(colours.frame, 0, 0, width, 5);
    rect(colours.frameLight, 0, 4, width, 1);
    rect(colours.frameDark, centre - 2, 5, 5, GROUND - 5);
    rect(colours.frame, centre - 2, 5, 4, GROUND - 5);
    rect(colours.frameLight, centre - 2, 5, 1, GROUND - 5);
    rect(colours.glow, 0, 7, width, GROUND - 7);
    drawCurtain(0, 1);
    drawCurtain(width - 1, -1);
    drawLights(now);
    rect(colours.sillLight, 0, GROUND - 2, width, 2);
    rect(colours.sill, 0, GROUND, width, 12);
    rect(colours.sillDark, 0, GROUND + 12, width, 1);
    rect(colours.frame, 0, GROUND + 13, width, 7);
    for (let x = 7; x < width; x += 31) rect(colours.sillDark, x, GROUND + 4 + (x % 5), 9, 1);
    drawThings(now);
  }

  /** A curtain that hangs from the top corner and is tied back above the sill. */
  function drawCurtain(edge, inward) {
    for (let y = 5; y < GROUND - 1; y += 1) {
      const tied = Math.abs(y - 70) / 70;
      const span = Math.round((width >= 250 ? 9 : 4) + 15 * Math.min(1, tied) ** 1.6);
      for (let i = 0; i < span; i += 1) {
        const fold = (i * 7 + Math.floor(y / 26)) % 6;
        const colour = y === 70 || y === 71 ? colours.sillLight : fold < 2 ? colours.curtainDark : fold < 4 ? colours.curtain : colours.curtainLight;
        rect(colour, edge + i * inward, y, 1, 1);
      }
    }
  }

  function drawLights(now) {
    const spans = width >= 250 ? 4 : 2;
    const length = width / spans;
    for (let x = 0; x < width; x += 1) {
      const t = (x % length) / length;
      const y = 7 + Math.round(34 * t * (1 - t));
      rect(colours.wire, x, y, 1, 1);
      if (x % 11 !== 5) continue;
      const bulb = Math.floor(x / 11);
      const beat = levels[bulb % 16] ?? 0;
      const on = state.playing && (still.matches || beat > 0.18 || Math.sin(now / 700 + bulb * 2) > 0);
      const colour = on ? colours.bulbs[bulb % 4] : colours.bulbsOff;
      if (on) circle(rect, colours.glow, x, y + 2, 4);
      rect(colour, x - 1, y + 1, 2, 3);
    }
  }

  function drawThings(now) {
    stand(PLANT, place('plant'));
    if (state.layers.fire > 0) drawLantern(now);
    stand(MUG, place('mug'));
    if (width >= 250) stand(BOOKS, place('books'));
    const lamp = state.playing ? { l: THINGS.L, r: THINGS.R } : {};
    stand(RADIO, place('radio'), lamp);
    const mugX = place('mug');
    for (let puff = 0; puff < 3; puff += 1) {
      const age = still.matches ? 0.3 * puff : (now / 2600 + puff / 3) % 1;
      context.globalAlpha = 0.4 * (1 - age);
      rect('#ffffff', mugX + 3 + Math.round(Math.sin(age * 6 + puff) * 2), GROUND - 6 - Math.round(age * 16), 2, 2);
    }
    context.globalAlpha = 1;
    if (state.playing && !still.matches) drawNotes(now);
  }

  /** Its flame is as high as the fire is loud. */
  function drawLantern(now) {
    const x = place('lantern');
    const flicker = still.matches ? 0 : Math.round(Math.sin(now / 130) + Math.sin(now / 71));
    circle(rect, colours.glow, x + 4, GROUND, 10 + Math.round(14 * state.layers.fire) + flicker);
    stand(LANTERN, x);
    const height = Math.max(2, Math.round(2 + 4 * state.layers.fire) + Math.sign(flicker));
    rect(THINGS.R, x + 3, GROUND + 5 - height, 3, height);
    rect(THINGS.L, x + 4, GROUND + 6 - height, 1, Math.max(1, height - 2));
  }

  function stand(rows, x, changes = {}) {
    const bottom = GROUND + 8;
    rect(colours.shadow, x + 1, bottom - 1, rows[0].length - 2, 3);
    paint(context, rows, { ...THINGS, ...changes }, x, bottom - rows.length + 1);
  }

  function drawNotes(now) {
    const x = place('radio') + 8;
    for (let note = 0; note < 2; note += 1) {
      const age = (now / 4200 + note / 2) % 1;
      context.globalAlpha = Math.min(1, age * 6) * (1 - age);
      paint(context, NOTE, THINGS, x + note * 7 + Math.round(Math.sin(age * 9 + note * 2) * 3), GROUND - 14 - Math.round(age * 38));
    }
    context.globalAlpha = 1;
  }
}

function same(layers, others) {
  return Object.keys(layers).every((name) => layers[name] === others[name]);
}
