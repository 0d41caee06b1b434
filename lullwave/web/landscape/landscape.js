/**
 * The whole picture outside the window: a sky, a place, and the weather and sounds in it. Pure; painted like the sky.
 */

import { DAY, EVENING, NIGHT } from '../scene/scene-palette.js';
import { PLACES } from './places.js';
import { circle, paintOvercast, paintRain, paintSky, paintStars } from './sky.js';

/**
 * @typedef {import('./sky.js').View} View @typedef {import('./sky.js').Rect} Rect
 *
 * @typedef {object} Scenery what a station's prompt means for the eye, as the server tells it
 * @property {keyof typeof PLACES} place
 * @property {'day' | 'evening' | 'night' | null} time null: as light or as dark as the page
 * @property {('rain' | 'fire' | 'waves' | 'night' | 'cafe' | 'train')[]} sounds around the music
 * @property {'sleepy' | 'calm' | 'lively'} mood
 *
 * @typedef {{rain: number, fire: number, waves: number, night: number}} Layers how much of each is heard, in 0..1
 */

/** @type {Scenery} */
export const PLAIN = Object.freeze({ place: 'city', time: null, sounds: [], mood: 'calm' });
export const SILENT = Object.freeze({ rain: 0, fire: 0, waves: 0, night: 0 });

const AROUND = 0.5; // how much of a sound is shown that is part of the music

/** The palette of a time of day. @param {Scenery['time']} time @param {boolean} dark whether the page is */
export function coloursOf(time, dark) {
  return { day: DAY, evening: EVENING, night: NIGHT }[time] ?? (dark ? NIGHT : DAY);
}

/** What a server says, or the plain scenery where it says something that is not known here. @param {any} told @returns {Scenery} */
export function sceneryOf(told) {
  if (!told || !(told.place in PLACES)) return PLAIN;
  return { ...PLAIN, ...told };
}

/**
 * What is heard of each sound: the listener's own, and the music's while it plays.
 *
 * @param {Layers} own @param {Scenery} scenery @param {boolean} playing @returns {Layers}
 */
export function layersHeard(own, { sounds }, playing) {
  const heard = (name) => Math.max(own[name], playing && sounds.includes(name) ? AROUND : 0);
  return { rain: heard('rain'), fire: heard('fire'), waves: heard('waves'), night: heard('night') };
}

/** What does not move; for a picture that is kept. @param {Rect} rect @param {View} view @param {Scenery} scenery */
export function paintStill(rect, view, { place }) {
  paintSky(rect, view);
  PLACES[place].still(rect, view);
}

/** What moves, over the still picture. @param {Rect} rect @param {View} view @param {Scenery} scenery @param {Layers} layers */
export function paintLive(rect, view, { place }, layers) {
  paintStars(rect, view);
  if (layers.rain > 0) paintOvercast(rect, view, layers.rain);
  PLACES[place].live(rect, view);
  if (layers.waves > 0 && place !== 'beach') paintWater(rect, view, layers.waves);
  if (layers.night > 0) paintFireflies(rect, view, layers.night);
  if (layers.rain > 0) paintRain(rect, view, layers.rain);
}

/** Water that has come up to the window. @param {Rect} rect @param {View} view */
function paintWater(rect, { width, ground, colours, nowS }, level) {
  const top = ground - 8 - Math.round(14 * level);
  for (let x = 0; x < width; x += 1) {
    const crest = top + Math.round(2 * Math.sin(x / 12 + nowS * 1.1) + Math.sin(x / 5 - nowS * 0.7));
    rect(colours.sea, x, crest, 1, ground - crest, 0.9);
    rect(colours.foam, x, crest, 1, 1);
    if ((x + Math.round(nowS * 3)) % 17 < 6) rect(colours.seaLight, x, crest + 5 + (x % 3), 1, 1);
  }
}

/** Fireflies for the crickets. @param {Rect} rect @param {View} view */
function paintFireflies(rect, { width, ground, colours, nowS }, level) {
  const flies = Math.round(4 + 14 * level);
  for (let fly = 0; fly < flies; fly += 1) {
    const x = Math.round((((fly * 131) % 997) / 997) * width + 7 * Math.sin(nowS * 0.7 + fly * 2.1));
    const y = Math.round(ground - 12 - ((fly * 41) % 38) + 4 * Math.sin(nowS * 0.9 + fly));
    const shine = 0.35 + 0.65 * Math.max(0, Math.sin(nowS * 1.7 + fly * 1.3));
    circle(rect, colours.glow, x, y, 3, shine);
    rect(colours.leafPeak, x, y, 1, 1, shine);
  }
}
