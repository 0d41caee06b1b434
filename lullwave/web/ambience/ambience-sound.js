/**
 * Rain, fire, waves and night as loops of stereo sound, computed from a seed.
 *
 * Noise is made a little longer than the loop and its tail is laid over its head with equal power; drops,
 * crackles and chirps that pass the end go on at the beginning. So a loop has no seam.
 */

export const RATE = 32_000;
const OVERLAP_S = 1;
const PEAK = 0.8;

/** Lengths without a common measure, so that layers never line up the same way twice. */
export const LAYERS = { rain: 13, fire: 17, waves: 22, night: 19 };

/** @param {keyof typeof LAYERS} layer @param {number} seed @returns {[Float32Array, Float32Array]} left and right */
export function renderLayer(layer, seed = 1, rate = RATE) {
  const chance = generator(seed);
  const frames = LAYERS[layer] * rate;
  const make = { rain, fire, waves, night }[layer];
  const sides = make(frames, rate, chance);
  return level(sides, 0.1);
}

/** A generator of numbers in [0, 1): a linear congruential one modulo 2^32 with its better high bits mixed down. */
export function generator(seed) {
  let state = (seed * 2_654_435_769) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return ((state ^ (state >>> 15)) >>> 0) / 2 ** 32;
  };
}

function rain(frames, rate, chance) {
  const sides = stereo(() => looped(frames, rate, (n) => band(softNoise(n, chance), rate, 400, 7_000)));
  scatter(frames, rate, chance, 26, (at) => {
    const pitch = 1_500 + 4_500 * chance();
    ping(sides, at, rate, { pitch, decayS: 0.004 + 0.006 * chance(), loud: 0.12 + 0.5 * chance() ** 3, pan: chance() });
  });
  return sides;
}

function fire(frames, rate, chance) {
  const flicker = looped(frames, rate, (n) => lowPass(whiteNoise(n, chance), rate, 1.2).map((x) => 0.6 + 60 * x));
  const sides = stereo(() =>
    looped(frames, rate, (n) => band(whiteNoise(n, chance), rate, 40, 260)).map((x, i) => 0.5 * x * Math.max(0.2, flicker[i])),
  );
  scatter(frames, rate, chance, 9, (at) => {
    const loud = 0.06 * Math.exp(1.2 * (chance() + chance() + chance() - 1.5));
    ping(sides, at, rate, { pitch: 900 + 3_200 * chance(), decayS: 0.0015 + 0.003 * chance(), loud, pan: chance() });
  });
  return sides;
}

function waves(frames, rate, chance) {
  const swells = 2; // in one loop
  return stereo((side) => {
    const dull = looped(frames, rate, (n) => band(softNoise(n, chance), rate, 60, 500));
    const foam = looped(frames, rate, (n) => band(softNoise(n, chance), rate, 700, 6_000));
    return dull.map((x, i) => {
      const phase = ((i / frames) * swells + 0.06 * side) % 1;
      const swell = phase < 0.45 ? Math.sin((phase / 0.9) * Math.PI) ** 2 : Math.cos(((phase - 0.45) / 1.1) * Math.PI) ** 4;
      return x * (0.5 + swell) + foam[i] * (0.1 + 1.6 * swell ** 2);
    });
  });
}

function night(frames, rate, chance) {
  const sides = stereo(() => looped(frames, rate, (n) => band(softNoise(n, chance), rate, 100, 600).map((x) => 0.12 * x)));
  for (const [pitch, everyS, loud, pan] of [[4_350, 0.92, 0.09, 0.25], [4_720, 1.13, 0.06, 0.8], [3_980, 1.41, 0.04, 0.55]]) {
    const chirps = Math.round(frames / rate / everyS);
    for (let chirp = 0; chirp < chirps; chirp += 1) {
      if (chance() < 0.12) continue;
      for (let pulse = 0; pulse < 4; pulse += 1) {
        const at = Math.round(((chirp + 0.04 * chance()) / chirps) * frames + pulse * 0.032 * rate);
        ping(sides, at, rate, { pitch, decayS: 0.009, attackS: 0.006, loud, pan });
      }
    }
  }
  return sides;
}

const stereo = (make) => [make(0), make(1)];

function whiteNoise(frames, chance) {
  return Float32Array.from({ length: frames }, () => 2 * chance() - 1);
}

/** Noise that falls by about 3 dB an octave: white noise through slow and fast averages, added up. */
function softNoise(frames, chance) {
  const poles = [0.9985, 0.988, 0.92, 0.6];
  const memory = poles.map(() => 0);
  return Float32Array.from({ length: frames }, () => {
    const white = 2 * chance() - 1;
    let sum = 0;
    for (const [index, pole] of poles.entries()) {
      memory[index] = pole * memory[index] + Math.sqrt(1 - pole * pole) * white;
      sum += memory[index];
    }
    return 0.3 * sum;
  });
}

function lowPass(signal, rate, cutoffHz) {
  const share = 1 - Math.exp((-2 * Math.PI * cutoffHz) / rate);
  let held = 0;
  return signal.map((x) => (held += share * (x - held)));
}

function band(signal, rate, lowHz, highHz) {
  const below = lowPass(signal, rate, lowHz);
  return lowPass(lowPass(signal.map((x, i) => x - below[i]), rate, highHz), rate, highHz);
}

/** The tail of a longer signal over its head, with equal power. */
function looped(frames, rate, make) {
  const overlap = OVERLAP_S * rate;
  const long = make(frames + overlap);
  const loop = long.slice(0, frames);
  for (let i = 0; i < overlap; i += 1) {
    const angle = (i / overlap) * (Math.PI / 2);
    loop[i] = long[i] * Math.sin(angle) + long[frames + i] * Math.cos(angle);
  }
  return loop;
}

/** Moments of a Poisson process. */
function scatter(frames, rate, chance, perSecond, place) {
  for (let at = 0; at < frames; at += (-Math.log(1 - chance()) / perSecond) * rate) place(Math.floor(at));
}

function ping(sides, at, rate, { pitch, decayS, attackS = 0.0005, loud, pan }) {
  const length = Math.floor((attackS + decayS * 7) * rate);
  const gains = [Math.cos((pan * Math.PI) / 2), Math.sin((pan * Math.PI) / 2)];
  for (let i = 0; i < length; i += 1) {
    const t = i / rate;
    const shape = t < attackS ? t / attackS : Math.exp((attackS - t) / decayS);
    const value = loud * shape * Math.sin(2 * Math.PI * pitch * t);
    for (const [side, gain] of gains.entries()) sides[side][(at + i) % sides[side].length] += value * gain;
  }
}

/** The same sound at a given root mean square over both sides, or quieter where its peaks need the room. */
function level(sides, wanted) {
  let power = 0;
  let peak = 0;
  for (const side of sides) {
    for (const x of side) {
      power += x * x;
      peak = Math.max(peak, Math.abs(x));
    }
  }
  const gain = Math.min(wanted / Math.sqrt(power / (2 * sides[0].length)), PEAK / peak);
  return sides.map((side) => side.map((x) => x * gain));
}
