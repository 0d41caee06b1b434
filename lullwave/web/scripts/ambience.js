/**
 * Sliders for rain, fire, waves and night, which play along with the station on this page alone.
 *
 * Layers are loops that start when they are first turned up; loudness moves on the audio clock.
 */

import { audioContext } from './audio-context.js';
import { LAYERS, RATE, renderLayer } from './ambience-sound.js';
import { taper } from './audio-stream.js';

const GLIDE_S = 0.25;

/** @param {HTMLElement} el @param {ReturnType<typeof import('./preferences.js').Preferences>} preferences */
export function Ambience(el, preferences) {
  const levels = { ...Object.fromEntries(Object.keys(LAYERS).map((name) => [name, 0])), ...preferences.read('ambience', {}) };
  /** @type {Map<string, {source: AudioBufferSourceNode, gain: GainNode}>} */
  const sounding = new Map();
  const buffers = new Map();
  let state = { playing: false, volume: 0.7, gain: 1 };

  for (const slider of el.querySelectorAll('.slider')) {
    slider.value = String(Math.round((levels[slider.name] ?? 0) * 100));
    show(slider);
    slider.addEventListener('input', () => {
      levels[slider.name] = slider.valueAsNumber / 100;
      preferences.write('ambience', levels);
      show(slider);
      mix();
    });
  }

  return {
    /** @param {string} name */
    level: (name) => levels[name] ?? 0,
    /** @param {{playing: boolean, volume: number, gain: number}} next */
    update(next) {
      const same = next.playing === state.playing && next.volume === state.volume && next.gain === state.gain;
      state = next;
      if (!same) mix();
    },
  };

  function mix() {
    for (const name of Object.keys(LAYERS)) {
      const wanted = state.playing ? taper(levels[name]) * taper(state.volume) * state.gain : 0;
      if (wanted > 0 && !sounding.has(name)) start(name);
      const layer = sounding.get(name);
      if (!layer) continue;
      const now = layer.gain.context.currentTime;
      layer.gain.gain.setTargetAtTime(wanted * 2, now, GLIDE_S);
      if (wanted === 0) {
        layer.source.stop(now + GLIDE_S * 6);
        sounding.delete(name);
      }
    }
  }

  function start(name) {
    const context = audioContext();
    if (!context) return;
    const source = new AudioBufferSourceNode(context, { buffer: buffer(context, name), loop: true });
    const gain = new GainNode(context, { gain: 0 });
    source.connect(gain).connect(context.destination);
    source.start();
    sounding.set(name, { source, gain });
  }

  function buffer(context, name) {
    if (!buffers.has(name)) {
      const made = context.createBuffer(2, LAYERS[name] * RATE, RATE);
      for (const [side, samples] of renderLayer(name).entries()) made.copyToChannel(samples, side);
      buffers.set(name, made);
    }
    return buffers.get(name);
  }
}

function show(slider) {
  slider.style.setProperty('--filled', `${slider.value}%`);
  slider.setAttribute('aria-valuetext', slider.valueAsNumber === 0 ? 'off' : `${slider.value} percent`);
}
