/**
 * What is seen from the window: a city, a road, a forest, roofs, a beach, the stars. In each, sixteen things follow the
 * sixteen bands of the music. Pure; painted like the sky (see `sky.js`).
 *
 * `still` is painted once, `live` with every frame. Heights are given for a sky of 104 pixels.
 */

import { BANDS } from '../scene/band-levels.js';
import { towers, windows } from '../scene/skyline.js';
import { circle, paintClouds, paintDisc } from './sky.js';

const FULL = 104;

/** @typedef {import('./sky.js').Rect} Rect @typedef {import('./sky.js').View} View */

/** A height for this view. @param {View} view @param {number} px */
const tall = ({ ground }, px) => Math.round((px * ground) / FULL);

/** Where the things of the bands stand: the middle of each, and how far they are apart. @param {View} view */
function along({ width }) {
  const margin = marginOf(width);
  const pitch = (width - 2 * margin) / BANDS;
  return Array.from({ length: BANDS }, (_, band) => ({ band, x: Math.round(margin + (band + 0.5) * pitch), pitch }));
}

/** What the curtains cover on each side. @param {number} width */
const marginOf = (width) => Math.min(20, Math.round(width / 24));

/** Soft hills: the highest point is `px` above the ground. @param {Rect} rect @param {View} view */
function hills(rect, view, colour, base, px, phase) {
  for (let x = 0; x < view.width; x += 1) {
    const height = base + px * (0.5 + 0.3 * Math.sin(x / 23 + phase) + 0.2 * Math.sin(x / 9 + phase * 2));
    rect(colour, x, view.ground - tall(view, height), 1, tall(view, height));
  }
}

const city = {
  still(rect, view) {
    paintDisc(rect, view, Math.round(view.width * 0.77), tall(view, 27), tall(view, 11));
    paintClouds(rect, view);
    for (let x = 0; x < view.width; x += 9) {
      const height = tall(view, 30 + ((x * 37) % 23));
      rect(view.colours.far, x, view.ground - height, 9, height);
    }
  },
  live(rect, { width, ground, colours, levels }) {
    const margin = marginOf(width);
    const lights = { dark: colours.windowDark, idle: colours.windowIdle, lit: colours.windowLit, peak: colours.windowPeak };
    for (const [band, tower] of towers(margin, width - margin, ground, ground / FULL).entries()) {
      rect(colours.near[tower.tone], tower.x, tower.y, tower.width, ground - tower.y);
      if (tower.tone === 0) rect(colours.near[0], tower.x + 2, tower.y - 4, 1, 4);
      for (const one of windows(tower, ground, levels[band] ?? 0)) {
        rect(lights[one.light], one.x, one.y, one.width, one.height);
      }
    }
  },
};

const ROAD_PX = 46; // from the lower edge to the horizon
const LAMPS = BANDS / 2; // on each side

const road = {
  still(rect, view) {
    const { width, ground, centre, colours } = view;
    const horizon = ground - tall(view, ROAD_PX);
    const radius = tall(view, 26);
    circle(rect, colours.halo, centre, horizon - tall(view, 8), radius + tall(view, 9));
    circle(rect, colours.disc, centre, horizon - tall(view, 8), radius);
    for (let bar = 0; bar < 5; bar += 1) {
      const y = horizon - tall(view, 3 + bar * 6);
      rect(colours.sky.at(-2 - (bar >> 1)), centre - radius - 1, y, 2 * radius + 3, Math.max(1, tall(view, 3 - bar / 2)));
    }
    hills(rect, view, colours.far, ROAD_PX, 13, 1);
    rect(colours.land, 0, horizon, width, ground - horizon);
    for (let y = horizon; y < ground; y += 5) rect(colours.landLight, 0, y, width, 1, 0.4);
  },
  live(rect, view) {
    const { ground, centre, colours, levels, nowS } = view;
    const horizon = ground - tall(view, ROAD_PX);
    const half = (y) => 1 + (y - horizon) * 1.15;
    for (let y = horizon; y < ground; y += 1) {
      const wide = Math.round(half(y));
      rect(colours.road, centre - wide, y, 2 * wide + 1, 1);
      for (const side of [centre - wide, centre + wide]) rect(colours.line, side, y, 1, 1, 0.5);
      const away = 90 / (y - horizon + 3);
      const dash = Math.max(1, Math.round((y - horizon) / 14));
      if ((away + nowS * 1.6) % 2 < 1) rect(colours.line, centre - (dash >> 1), y, dash, 1);
    }
    for (let lamp = 0; lamp < LAMPS; lamp += 1) {
      const y = horizon + Math.round((ground - horizon) * 0.9 * ((lamp + 1) / LAMPS) ** 1.7);
      const height = tall(view, 6) + Math.round((y - horizon) * 1.3);
      const size = 1 + Math.round(lamp / 3);
      for (const [side, band] of [[-1, LAMPS - 1 - lamp], [1, LAMPS + lamp]]) {
        const x = centre + side * Math.round(half(y) + 4 + lamp * 3);
        const level = levels[band] ?? 0;
        rect(colours.trunk, x, y - height, Math.max(1, size >> 1), height);
        if (level > 0.1) circle(rect, colours.glow, x - side * size, y - height, 2 + Math.round(level * (3 + lamp)));
        rect(light(colours, level), x - side * size - (size >> 1), y - height, size + 1, Math.max(1, size));
      }
    }
  },
};

const forest = {
  still(rect, view) {
    const { width, ground, colours } = view;
    paintDisc(rect, view, Math.round(width * 0.2), tall(view, 24), tall(view, 9));
    paintClouds(rect, view);
    for (let x = 0; x < width + 9; x += 7) {
      pine(rect, colours.far, x, ground - tall(view, 14), tall(view, 30 + ((x * 31) % 17)), 5);
    }
    hills(rect, view, colours.land, 14, 12, 2);
  },
  live(rect, view) {
    const { ground, centre, colours, levels, nowS } = view;
    for (const { band, x, pitch } of along(view)) {
      const height = tall(view, 46 + ((band * 37) % 29));
      const foot = ground - tall(view, 6 + ((band * 5) % 9));
      const reach = Math.max(4, Math.round(pitch * 0.62));
      rect(colours.trunk, x, foot, 1 + (pitch > 12 ? 1 : 0), ground - foot);
      pine(rect, colours.leaf[band % 3], x, foot, height, reach);
      const level = levels[band] ?? 0;
      const rows = Math.max(1, Math.round(height / 5));
      for (let row = 0; row < Math.round(level * rows); row += 1) {
        const spread = Math.max(0, Math.round((reach - 1) * (1 - row / rows)) - 1);
        const colour = row % 2 ? colours.leafLit : colours.windowLit;
        for (const at of spread > 3 ? [-spread, 0, spread] : [row % 2 ? -spread : spread]) rect(colour, x + at, foot - 3 - row * 5, 1, 2);
      }
      if (level > 0.5) rect(colours.leafPeak, x, foot - height - 1, 1, 2);
    }
    cabin(rect, view, centre, nowS);
  },
};

/** A fir tree of stepped layers. @param {Rect} rect */
function pine(rect, colour, x, foot, height, reach) {
  const layers = 4;
  for (let y = 0; y < height; y += 1) {
    const share = y / height;
    const inLayer = (share * layers) % 1;
    const half = Math.round(reach * Math.min(1, 0.25 + share) * (0.35 + 0.65 * inLayer));
    rect(colour, x - half, foot - height + y, half * 2 + 1, 1);
  }
}

function cabin(rect, view, x, nowS) {
  const { ground, colours } = view;
  const [wide, walls, roof] = [25, tall(view, 15), tall(view, 13)];
  const foot = ground - tall(view, 20);
  const left = x - 12;
  rect(colours.land, left - 4, foot, wide + 8, ground - foot);
  rect(colours.trunk, left + 18, foot - walls - roof - 2, 4, roof);
  for (let puff = 0; puff < 3; puff += 1) {
    const age = (nowS / 3.4 + puff / 3) % 1;
    const drift = Math.round(Math.sin(age * 5 + puff) * 2 + age * 4);
    rect(colours.foam, left + 18 + drift, foot - walls - roof - 5 - Math.round(age * tall(view, 20)), 3, 2, 0.5 * (1 - age));
  }
  rect(colours.near[2], left, foot - walls, wide, walls);
  for (let y = foot - walls + 2; y < foot; y += 3) rect(colours.near[1], left, y, wide, 1);
  for (let y = 0; y < roof; y += 1) {
    const half = Math.round(2 + ((wide / 2 + 2) * y) / roof);
    rect(colours.roof[y % 3 === 0 ? 1 : 0], x - half, foot - walls - roof + y, half * 2 + 1, 1);
  }
  rect(colours.glow, left + 1, foot - walls + 1, wide - 2, walls - 2);
  for (const pane of [left + 4, left + 9]) rect(colours.windowLit, pane, foot - walls + 3, 4, Math.max(3, walls - 8));
  rect(colours.trunk, left + 17, foot - walls + 4, 5, walls - 4);
}

const roofs = {
  still(rect, view) {
    paintDisc(rect, view, Math.round(view.width * 0.3), tall(view, 26), tall(view, 11));
    paintClouds(rect, view);
    hills(rect, view, view.colours.far, 38, 16, 4);
  },
  live(rect, view) {
    const { ground, colours, levels, nowS } = view;
    for (const { band, x, pitch } of along(view)) {
      const half = Math.ceil(pitch / 2);
      const walls = tall(view, 36 + ((band * 23) % 19));
      const roof = Math.max(3, Math.min(tall(view, 15), half));
      const top = ground - walls;
      rect(colours.wall[band % 3], x - half, top, half * 2, walls);
      for (let y = 0; y < roof; y += 1) {
        const reach = Math.round(((half + 1) * (y + 1)) / roof);
        rect(colours.roof[(band * 2) % 3], x - reach, top - roof + y, reach * 2, 1);
      }
      if (band % 4 === 1) chimney(rect, view, x + (half >> 1), top - roof, nowS + band);
      const level = levels[band] ?? 0;
      const storeys = Math.max(2, Math.floor(walls / 7));
      const panes = pitch > 13 ? [-Math.round(pitch / 4) - 1, Math.round(pitch / 4) - 1] : [-1];
      for (let storey = 0; storey < storeys; storey += 1) {
        const lit = storey < Math.round(level * storeys);
        const home = (band * 5 + storey * 3) % 7 === 0;
        const colour = lit ? colours.windowLit : home ? colours.windowIdle : colours.windowDark;
        for (const pane of panes) rect(colour, x + pane, ground - storey * 7 - 6, 3, 4);
      }
    }
  },
};

function chimney(rect, view, x, roofTop, nowS) {
  rect(view.colours.trunk, x, roofTop, 3, tall(view, 10));
  for (let puff = 0; puff < 2; puff += 1) {
    const age = (nowS / 4 + puff / 2) % 1;
    rect(view.colours.cloud, x + Math.round(age * 5), roofTop - 2 - Math.round(age * tall(view, 16)), 3, 2, 0.7 * (1 - age));
  }
}

const SEA_PX = 46; // from the lower edge to the horizon
const SHORE_PX = 16;

const beach = {
  still(rect, view) {
    const { width, ground, colours } = view;
    const horizon = ground - tall(view, SEA_PX);
    paintClouds(rect, view);
    paintDisc(rect, view, Math.round(width * 0.66), horizon - tall(view, 15), tall(view, 12));
    rect(colours.sea, 0, horizon, width, ground - horizon);
    rect(colours.seaLight, 0, horizon, width, 1);
  },
  live(rect, view) {
    const { width, ground, centre, colours, levels, nowS } = view;
    const horizon = ground - tall(view, SEA_PX);
    const shore = ground - tall(view, SHORE_PX);
    for (let row = 0; row < tall(view, 16); row += 2) {
      const half = 2 + Math.round((row / 2 + 3) * (0.8 + 0.4 * Math.sin(nowS * 1.3 + row)));
      rect(colours.disc, Math.round(width * 0.66) - half, horizon + 2 + row, half * 2, 1, 0.5);
    }
    boat(rect, view, (centre + width - 30 + Math.round(nowS * 1.2)) % (width + 40) - 20, horizon + tall(view, 5));
    for (let x = 0; x < width; x += 1) {
      const swell = between(levels, (x / width) * BANDS - 0.5) * tall(view, 24);
      const height = Math.round(swell + 2 + 1.6 * Math.sin(x / 7 + nowS * 1.5));
      rect(colours.seaLight, x, shore - height, 1, height + 3);
      rect(colours.foam, x, shore - height, 1, 1, 0.9);
    }
    rect(colours.sand, 0, shore, width, ground - shore);
    for (let x = 0; x < width; x += 1) {
      const wash = Math.round(2 + 1.5 * Math.sin(x / 11 + nowS * 0.8) + Math.sin(x / 5 - nowS * 0.5));
      rect(colours.seaLight, x, shore, 1, Math.max(0, wash));
      rect(colours.foam, x, shore + Math.max(0, wash), 1, 1);
      if ((x * 7) % 13 === 0) rect(colours.sandLight, x, shore + 6 + (x % 7), 2, 1);
    }
    palm(rect, view, Math.round(width * 0.28), ground - tall(view, 6));
  },
};

/** A level between those of two bands, on a smooth way from one to the other. @param {number[]} levels */
function between(levels, at) {
  const band = Math.floor(at);
  const share = (1 - Math.cos(Math.PI * (at - band))) / 2;
  return (levels[band] ?? 0) * (1 - share) + (levels[band + 1] ?? 0) * share;
}

function boat(rect, { colours }, x, y) {
  rect(colours.trunk, x, y, 11, 2);
  rect(colours.trunk, x + 1, y + 2, 9, 1);
  rect(colours.trunk, x + 5, y - 10, 1, 10);
  for (let row = 0; row < 8; row += 1) {
    rect(colours.foam, x + 6, y - 9 + row, 1 + (row >> 1), 1);
    rect(colours.foam, x + 4 - (row >> 2), y - 9 + row, 1 + (row >> 2), 1, 0.8);
  }
}

function palm(rect, view, x, foot) {
  const height = tall(view, 50);
  const bend = (share) => Math.round(8 * share * share);
  for (let y = 0; y < height; y += 1) rect(view.colours.trunk, x + bend(y / height), foot - y, 2, 1);
  const [top, crown] = [foot - height, x + bend(1)];
  for (const [reach, rise, fall] of [[-16, 3, 9], [-11, 6, 3], [16, 3, 9], [11, 6, 3], [-5, 4, 12], [6, 4, 12]]) {
    for (let i = 0; i <= Math.abs(reach); i += 1) {
      const share = i / Math.abs(reach);
      const y = top - Math.round(4 * rise * share * (1 - share) - fall * share * share);
      rect(view.colours.leaf[i % 3], crown + Math.sign(reach) * i, y, 1, share < 0.7 ? 2 : 1);
    }
  }
}

const stars = {
  still(rect, view) {
    const { width, ground, colours } = view;
    for (let one = 0; one < width * 1.1; one += 1) {
      const along = ((one * 97) % 1009) / 1009;
      const across = (((one * 53) % 211) / 211 + ((one * 29) % 97) / 97 - 1) * 22;
      const y = tall(view, 66 - along * 52 + across);
      if (y > 0 && y < ground - 12) rect(one % 3 ? colours.windowIdle : colours.disc, Math.round(along * width), y, 1, 1, 0.5);
    }
    planet(rect, view, Math.round(width * 0.8), tall(view, 30), tall(view, 12));
    hills(rect, view, colours.far, 10, 18, 3);
    hills(rect, view, colours.near[0], 2, 15, 5);
  },
  live(rect, view) {
    const { colours, levels, nowS } = view;
    const found = along(view).map(({ band, x }) => {
      const drift = Math.round(1.5 * Math.sin(nowS / 2 + band));
      return { x, y: tall(view, 40 + 15 * Math.sin(band * 1.9) + 8 * Math.sin(band * 0.7)) + drift };
    });
    for (let band = 1; band < BANDS; band += 1) line(rect, colours.windowIdle, found[band - 1], found[band]);
    for (const [band, { x, y }] of found.entries()) {
      const level = levels[band] ?? 0;
      const arm = 1 + Math.round(level * 5);
      if (level > 0.1) circle(rect, colours.glow, x, y, arm + 3);
      rect(light(colours, Math.max(level, 0.2)), x - arm, y, arm * 2 + 1, 1);
      rect(light(colours, Math.max(level, 0.2)), x, y - arm, 1, arm * 2 + 1);
      rect(colours.windowPeak, x, y, 1, 1);
    }
  },
};

function planet(rect, { colours }, cx, cy, radius) {
  circle(rect, colours.halo, cx, cy, radius + 6);
  circle(rect, colours.foam, cx, cy, radius);
  for (const [dy, share] of [[-0.5, 0.8], [0.1, 1], [0.5, 0.8]]) {
    const half = Math.floor(radius * share * 0.9);
    rect(colours.cloud, cx - half, cy + Math.round(radius * dy), half * 2, Math.max(1, Math.round(radius / 6)), 0.6);
  }
  for (let x = -Math.round(radius * 1.8); x <= radius * 1.8; x += 1) {
    rect(colours.windowLit, cx + x, cy + Math.round(x * 0.3), 1, Math.abs(x) > radius * 1.5 ? 1 : 2);
  }
}

/** @param {Rect} rect */
function line(rect, colour, from, to) {
  const steps = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y), 1);
  for (let step = 0; step < steps; step += 2) {
    const share = step / steps;
    rect(colour, Math.round(from.x + share * (to.x - from.x)), Math.round(from.y + share * (to.y - from.y)), 1, 1, 0.5);
  }
}

const light = (colours, level) => (level > 0.6 ? colours.windowPeak : level > 0.1 ? colours.windowLit : colours.windowIdle);

export const PLACES = { city, road, forest, window: roofs, beach, stars };
