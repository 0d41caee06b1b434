/**
 * A meow, synthesised: a buzzing voice whose pitch arches, through two formants that go from "mi" to "a" to
 * "ow". Everything is scheduled on the audio clock of the given context.
 */

/** @param {BaseAudioContext} context @param {number} loudness in 0..1 @param {() => number} random */
export function meow(context, loudness, random = Math.random) {
  const start = context.currentTime + 0.02;
  const length = 0.45 + 0.35 * random();
  const pitch = 480 + 160 * random();

  const voice = context.createOscillator();
  voice.type = 'sawtooth';
  voice.frequency.setValueCurveAtTime(curve([0.8, 1.1, 1.3, 1.28, 1.15, 0.95, 0.7], pitch), start, length);
  const quiver = context.createOscillator();
  quiver.frequency.value = 6 + 2 * random();
  const depth = context.createGain();
  depth.gain.value = pitch * 0.015;
  quiver.connect(depth).connect(voice.frequency);

  const loud = context.createGain();
  loud.gain.setValueCurveAtTime(curve([0, 0.5, 0.9, 1, 0.8, 0.45, 0], 0.5 * loudness), start, length);
  for (const [path, width, share] of [
    [[420, 700, 1050, 1000, 800, 560, 420], 5, 1],
    [[2500, 2300, 1800, 1500, 1250, 1050, 900], 7, 0.55],
    [[3600, 3500, 3300, 3200, 3000, 2900, 2800], 9, 0.18],
  ]) {
    const formant = context.createBiquadFilter();
    formant.type = 'bandpass';
    formant.Q.value = width;
    formant.frequency.setValueCurveAtTime(curve(path, 1), start, length);
    const gain = context.createGain();
    gain.gain.value = share;
    voice.connect(formant).connect(gain).connect(loud);
  }
  loud.connect(context.destination);
  for (const source of [voice, quiver]) {
    source.start(start);
    source.stop(start + length);
  }
  return length;
}

const curve = (values, scale) => Float32Array.from(values, (value) => value * scale);
