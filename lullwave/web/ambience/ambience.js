/**
 * Sliders for rain, fire, waves and night, which play on this page alone: along with the station, or without it.
 *
 * Layers are loops, computed when they are first turned up; loudness moves on the audio clock.
 */

import { audioContext } from '../shared/audio-context.js';
import { LAYERS, RATE } from './ambience-sound.js';
import { taper } from '../player/audio-stream.js';

const GLIDE_S = 0.25;

/**
 * @param {HTMLElement} el @param {ReturnType<typeof import('../shared/preferences.js').Preferences>} preferences
 * @param {ReturnType<import('../shared/strings.js').translator>} t
 * @param {() => void} onChange what is heard has changed, but for `update`
 */
export function Ambience(el, preferences, t, onChange) {
  const switcher = el.querySelector('.alone');
  const levels = { ...Object.fromEntries(Object.keys(LAYERS).map((name) => [name, 0])), ...preferences.read('ambience', {}) };
  /** @type {Map<string, {source: AudioBufferSourceNode, gain: GainNode}>} */
  const sounding = new Map();
  /** @type {Map<string, AudioBuffer | null>} */
  const buffers = new Map();
  /** @type {Worker | null} */
  let worker = null;
  let state = { playing: false, volume: 0.7, gain: 1 };
  let alone = false; // heard without the music

  for (const slider of el.querySelectorAll('.slider')) {
    slider.value = String(Math.round((levels[slider.name] ?? 0) * 100));
    show(t, slider);
    slider.addEventListener('input', () => {
      levels[slider.name] = slider.valueAsNumber / 100;
      preferences.write('ambience', levels);
      show(t, slider);
      setAlone(!state.playing && anyUp());
    });
  }
  switcher.addEventListener('click', () => setAlone(!alone));
  offer();

  return {
    /** How much of each sound is heard now. @returns {import('../landscape/landscape.js').Layers} */
    heard: () => Object.fromEntries(Object.keys(LAYERS).map((name) => [name, state.playing || alone ? levels[name] : 0])),
    /** @param {{playing: boolean, volume: number, gain: number}} next */
    update(next) {
      const same = next.playing === state.playing && next.volume === state.volume && next.gain === state.gain;
      if (next.playing !== state.playing) alone = false;
      state = next;
      if (same) return;
      mix();
      offer();
    },
  };

  function anyUp() {
    return Object.values(levels).some((level) => level > 0);
  }

  function setAlone(wanted) {
    alone = wanted;
    mix();
    offer();
    onChange();
  }

  function offer() {
    switcher.hidden = state.playing || !anyUp();
    const words = t(alone ? 'ambience.stop' : 'ambience.alone');
    if (switcher.textContent !== words) switcher.textContent = words;
  }

  function mix() {
    for (const name of Object.keys(LAYERS)) {
      const wanted = state.playing || alone ? taper(levels[name]) * taper(state.volume) * state.gain : 0;
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
    const buffer = buffers.get(name);
    if (!buffer) {
      compute(context, name);
      return;
    }
    const source = new AudioBufferSourceNode(context, { buffer, loop: true });
    const gain = new GainNode(context, { gain: 0 });
    source.connect(gain).connect(context.destination);
    source.start();
    sounding.set(name, { source, gain });
  }

  function compute(context, name) {
    if (buffers.has(name)) return; // it is being computed
    buffers.set(name, null);
    worker ??= new Worker(new URL('./ambience-worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => {
      const buffer = context.createBuffer(2, data.sides[0].length, RATE);
      for (const [side, samples] of data.sides.entries()) buffer.copyToChannel(samples, side);
      buffers.set(data.layer, buffer);
      mix();
    };
    worker.postMessage(name);
  }
}

function show(t, slider) {
  slider.style.setProperty('--filled', `${slider.value}%`);
  slider.setAttribute('aria-valuetext', slider.valueAsNumber === 0 ? t('ambience.off') : t('player.percent', { n: slider.value }));
}
