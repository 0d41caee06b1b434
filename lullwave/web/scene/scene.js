/**
 * The view from the window: a city whose lights follow the music that is heard, the weather, and the things on
 * the sill. Drawn as pixels, twelve times a second while something moves.
 */

import { settle } from './band-levels.js';
import { paint } from './pixel-sprites.js';
import { BOOKS, CLOUD, MUG, NOTE, PLANT, RADIO } from './room-sprites.js';
import { DAY, NIGHT, THINGS } from './scene-palette.js';
import { towers, windows } from './skyline.js';
import { isDark } from '../shared/theme.js';

const HEIGHT = 124;
const GROUND = 104; // where the glass ends and the sill begins
const FRAME_MS = 1000 / 12;

/** @param {HTMLElement} el @param {() => number[]} readLevels what the sixteen bands are at right now */
export function Scene(el, readLevels) {
  const canvas = el.querySelector('.view');
  const context = canvas.getContext('2d');
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const backdrop = document.createElement('canvas');
  let state = { playing: false, rain: 0 };
  let levels = [];
  let width = 0;
  let colours = NIGHT;
  let city = [];
  let drawnAt = 0;
  let visible = true;

  new ResizeObserver(fit).observe(el);
  new IntersectionObserver(([entry]) => (visible = entry.isIntersecting)).observe(el);
  setInterval(() => requestAnimationFrame(animate), FRAME_MS);

  return {
    /** @param {{playing: boolean, rain: number}} next */
    update(next) {
      const palette = isDark() ? NIGHT : DAY;
      const changed = palette !== colours || next.playing !== state.playing || next.rain !== state.rain;
      state = next;
      if (palette !== colours) {
        colours = palette;
        drawBackdrop();
      }
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
    city = towers(20, width - 20, GROUND);
    drawBackdrop();
    draw(performance.now());
  }

  /** Where things stand on the sill, from the left, in pixels of the picture. */
  function place(thing) {
    const roomy = width >= 250;
    const at = roomy
      ? { plant: 26, sleeper: 52, mug: width * 0.42, books: width * 0.52, sitter: width * 0.52 + 26, radio: width - 58 }
      : { plant: 4, sleeper: 24, mug: width * 0.41, books: -99, sitter: width * 0.54, radio: width - 32 };
    return Math.round(at[thing]);
  }

  function animate(now) {
    if (!visible || still.matches) return;
    const resting = !state.playing && levels.every((level) => level === 0);
    if (!resting || now - drawnAt > FRAME_MS * 4) draw(now);
  }

  function draw(now) {
    if (!width) return;
    const elapsedS = Math.min(1, (now - drawnAt) / 1000);
    drawnAt = now;
    const moving = state.playing && !still.matches;
    levels = settle(levels.length ? levels : readLevels(), moving ? readLevels() : readLevels().fill(0), elapsedS);
    context.drawImage(backdrop, 0, 0);
    drawStars(now);
    if (state.playing && state.rain > 0) drawOvercast();
    drawCity();
    if (state.playing && state.rain > 0) drawRain(now);
    drawRoom(now);
  }

  function rect(colour, x, y, w, h, target = context) {
    target.fillStyle = colour;
    target.fillRect(x, y, w, h);
  }

  function drawBackdrop() {
    const target = backdrop.getContext('2d');
    const band = GROUND / colours.sky.length;
    for (const [index, colour] of colours.sky.entries()) {
      rect(colour, 0, Math.floor(index * band), width, Math.ceil(band) + 1, target);
      const next = colours.sky[index + 1];
      if (next) dither(target, next, Math.floor((index + 1) * band) - 6);
    }
    drawDisc(target, Math.round(width * 0.77), 27, 11);
    const clouds = { c: colours.cloud };
    paint(target, CLOUD, clouds, Math.round(width * 0.2), 24);
    paint(target, CLOUD, clouds, Math.round(width * 0.58), 44);
    for (let x = 0; x < width; x += 9) {
      const height = 16 + ((x * 37) % 23);
      rect(colours.far, x, GROUND - height - 14, 9, height + 14, target);
    }
  }

  /** Three rows of ever denser pixels, so that one colour of the sky melts into the next. */
  function dither(target, colour, y) {
    target.fillStyle = colour;
    for (const [row, [step, shift]] of [[6, 1], [4, 0], [2, 1]].entries()) {
      for (let x = shift; x < width; x += step) target.fillRect(x, y + row * 2, 1, 1);
    }
  }

  function drawDisc(target, cx, cy, radius) {
    circle(target, colours.halo, cx, cy, radius * 2);
    circle(target, colours.halo, cx, cy, radius + 5);
    circle(target, colours.disc, cx, cy, radius);
    for (const [x, y, r] of [[-4, -2, 2], [3, 4, 3], [4, -5, 1.5]]) circle(target, colours.discShade, cx + x, cy + y, r);
  }

  function circle(target, colour, cx, cy, radius) {
    for (let y = -Math.floor(radius); y <= radius; y += 1) {
      const half = Math.floor(Math.sqrt(radius * radius - y * y));
      rect(colour, cx - half, cy + y, half * 2 + 1, 1, target);
    }
  }

  function drawStars(now) {
    if (!colours.star) return;
    for (let star = 0; star < 46; star += 1) {
      const x = (star * 73 + 29) % width;
      const y = 10 + ((star * 41) % 52);
      const shine = still.matches ? 0.6 : 0.45 + 0.45 * Math.sin(now / 900 + star * 2.4);
      context.globalAlpha = shine * (1 - y / 90);
      rect(colours.star, x, y, 1, 1);
    }
    context.globalAlpha = 1;
  }

  function drawCity() {
    const lights = {
      dark: colours.windowDark,
      idle: colours.windowIdle,
      lit: colours.windowLit,
      peak: colours.windowPeak,
    };
    for (const [band, tower] of city.entries()) {
      rect(colours.near[tower.tone], tower.x, tower.y, tower.width, GROUND - tower.y);
      if (tower.tone === 0) rect(colours.near[0], tower.x + 2, tower.y - 4, 1, 4);
      for (const one of windows(tower, GROUND, levels[band] ?? 0)) {
        rect(lights[one.light], one.x, one.y, one.width, one.height);
      }
    }
  }

  /** Rain takes the sun, or the moon, most of its shine. */
  function drawOvercast() {
    context.globalAlpha = 0.25 + 0.4 * state.rain;
    rect(colours.overcast, 0, 0, width, GROUND);
    context.globalAlpha = 1;
  }

  function drawRain(now) {
    const drops = Math.round(20 + state.rain * 130);
    for (let drop = 0; drop < drops; drop += 1) {
      const speed = 90 + ((drop * 29) % 60);
      const y = (drop * 53 + (now / 1000) * speed) % (GROUND + 8);
      const x = (drop * 97 + Math.floor(y / 6)) % width;
      rect(colours.rain, Math.round(x), Math.round(y) - 4, 1, 4);
    }
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
      if (on) circle(context, colours.glow, x, y + 2, 4);
      rect(colour, x - 1, y + 1, 2, 3);
    }
  }

  function drawThings(now) {
    stand(PLANT, place('plant'));
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
