/**
 * The beat of a clip, by the autocorrelation of its onsets; pure.
 *
 * Onsets are the rises of the spectrogram's levels from column to column. The distance of beats is the lag at which they
 * repeat best, refined on multiples of it, which are known more exactly.
 */

const SLOWEST_BPM = 60;
const FASTEST_BPM = 170;
const LIKELY_BPM = 95; // of lags that fit alike, the nearest to this one
const OCTAVES = 0.9; // standard deviation of that preference
const CLEAR = 0.12; // correlation below which there is no beat
const LEAST_BEATS = 4;

/**
 * @param {Uint8Array} levels `bands` bytes a column @param {number} bands @param {number} perS columns a second
 * @returns {{beatS: number, firstS: number} | null} the distance of beats, and the first one
 */
export function beatOf(levels, bands, perS) {
  const onsets = onsetsOf(levels, bands);
  const slowest = Math.min(Math.floor((60 / SLOWEST_BPM) * perS), Math.floor(onsets.length / LEAST_BEATS));
  const fastest = Math.ceil((60 / FASTEST_BPM) * perS);
  const whole = correlation(onsets, 0);
  if (whole <= 0) return null;
  let best = { lag: 0, score: 0, clear: 0 };
  for (let lag = fastest; lag <= slowest; lag += 1) {
    const clear = (correlation(onsets, lag) + correlation(onsets, 2 * lag)) / (2 * whole);
    const score = clear * Math.exp(-0.5 * (Math.log2((60 * perS) / lag / LIKELY_BPM) / OCTAVES) ** 2);
    if (score > best.score) best = { lag, score, clear };
  }
  if (best.clear < CLEAR) return null;
  const lag = refined(onsets, best.lag);
  return { beatS: lag / perS, firstS: phase(onsets, lag) / perS };
}

/** @param {Uint8Array} levels @param {number} bands @returns {Float32Array} a value a column, their mean taken away */
function onsetsOf(levels, bands) {
  const columns = Math.floor(levels.length / bands);
  const onsets = new Float32Array(columns);
  let sum = 0;
  for (let column = 1; column < columns; column += 1) {
    let rise = 0;
    for (let band = 0; band < bands; band += 1) {
      rise += Math.max(0, levels[column * bands + band] - levels[(column - 1) * bands + band]);
    }
    onsets[column] = rise;
    sum += rise;
  }
  return onsets.map((one) => one - sum / columns);
}

/** The mean product of the onsets and themselves `lag` columns later. */
function correlation(onsets, lag) {
  const pairs = onsets.length - lag;
  if (pairs < 1) return 0;
  let sum = 0;
  for (let i = 0; i < pairs; i += 1) sum += onsets[i] * onsets[i + lag];
  return sum / pairs;
}

/** The lag with a fraction: the peak near ever larger multiples of it, by a parabola through three points. */
function refined(onsets, lag) {
  let exact = lag;
  for (let times = 1; times * exact < onsets.length * 0.7; times *= 2) {
    let peak = Math.round(times * exact);
    for (const near of [peak - 1, peak + 1]) if (correlation(onsets, near) > correlation(onsets, peak)) peak = near;
    const [before, here, after] = [-1, 0, 1].map((step) => correlation(onsets, peak + step));
    const bend = before - 2 * here + after;
    exact = (peak + (bend < 0 ? Math.max(-0.5, Math.min(0.5, (0.5 * (before - after)) / bend)) : 0)) / times;
  }
  return exact;
}

/** The column of the first beat: where a comb of the lag gathers the most. */
function phase(onsets, lag) {
  let best = { at: 0, sum: -Infinity };
  for (let at = 0; at < lag; at += 1) {
    let sum = 0;
    for (let place = at; place < onsets.length; place += lag) sum += onsets[Math.round(place)] ?? 0;
    if (sum > best.sum) best = { at, sum };
  }
  return best.at;
}
