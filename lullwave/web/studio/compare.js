/** Two results side by side: waveform, spectrogram, and a switch between them while they play, at the same loudness. */

import { audioContext } from '../shared/audio-context.js';
import { drawSpectrogram, drawWaveform } from '../shared/spectrogram-view.js';
import { matchedGains } from './level-match.js';
import { soundOf, titleOf } from './job-state.js';

const SWITCH_S = 0.012; // crossfade at a switch, against clicks
const LEAD_S = 0.03; // from the click to the sound: both begin at the same moment of the audio clock

/** @param {HTMLElement} el @param {(key: string, values?: object) => string} t @param {{fileUrl: (value: string) => string}} api */
export function Compare(el, t, api) {
  const find = (selector) => el.querySelector(selector);
  const sides = ['a', 'b'].map((name) => ({ name, el: find(`.side.-${name}`), job: null, buffer: null, gain: null }));
  let heard = 0;
  let playing = null; // {sources, begun, from}
  let frame = 0;

  find('.play').addEventListener('click', () => (playing ? stop() : void play(0)));
  find('.switch').addEventListener('click', () => hearSide(1 - heard));
  find('.matched').addEventListener('change', levels);
  find('.seek').addEventListener('input', () => {
    if (playing) void play(Number(find('.seek').value));
  });
  for (const [n, side] of sides.entries()) side.el.querySelector('.hear').addEventListener('click', () => hearSide(n));

  const length = () => Math.max(...sides.map(({ buffer }) => buffer?.duration ?? 0));

  async function put(n, job, title) {
    const side = sides[n];
    const sound = soundOf(job);
    stop();
    Object.assign(side, { job, sound, buffer: null });
    side.el.querySelector('.title').textContent = title;
    side.el.querySelector('.facts').textContent = t('compare.loading');
    el.hidden = false;
    update();
    try {
      const reply = await fetch(api.fileUrl(`${job.id}/${sound.name}`));
      if (!reply.ok) throw new Error(String(reply.status));
      side.buffer = await audioContext().decodeAudioData(await reply.arrayBuffer());
    } catch {
      side.el.querySelector('.facts').textContent = t('compare.failed');
      return;
    }
    if (side.job !== job) return; // another was put here meanwhile
    const loudness = Number.isFinite(sound.lufs) ? t('compare.lufs', { lufs: t.number(sound.lufs, 1) }) : t('compare.silent');
    side.el.querySelector('.facts').textContent = `${t.number(side.buffer.duration, 2)} s, ${loudness}`;
    draw(side);
    update();
  }

  function draw({ el: panel, buffer }) {
    if (!buffer) return;
    const samples = buffer.getChannelData(0);
    drawWaveform(panel.querySelector('.wave'), samples);
    drawSpectrogram(panel.querySelector('.spectrogram'), samples, buffer.sampleRate);
  }

  async function play(from) {
    const context = audioContext();
    await context.resume();
    stop();
    const begun = context.currentTime + LEAD_S;
    const sources = sides.filter(({ buffer }) => buffer).map((side) => {
      const source = new AudioBufferSourceNode(context, { buffer: side.buffer });
      side.gain = new GainNode(context, { gain: 0 });
      source.connect(side.gain).connect(context.destination);
      source.start(begun, Math.min(from, side.buffer.duration));
      return source;
    });
    playing = { sources, begun, from };
    levels();
    update();
    follow();
  }

  function stop() {
    cancelAnimationFrame(frame);
    for (const source of playing?.sources ?? []) source.stop();
    playing = null;
    update();
  }

  function follow() {
    if (!playing) return;
    const now = playing.from + Math.max(0, audioContext().currentTime - playing.begun);
    if (now >= length()) {
      stop();
      find('.seek').value = 0;
      return;
    }
    find('.seek').value = now;
    for (const side of sides) side.el.style.setProperty('--at', side.buffer ? Math.min(1, now / side.buffer.duration) : 0);
    frame = requestAnimationFrame(follow);
  }

  function levels() {
    const gains = matchedGains(sides[0].sound?.lufs, sides[1].sound?.lufs, find('.matched').checked);
    for (const [n, { gain }] of sides.entries()) {
      gain?.gain.setTargetAtTime(n === heard ? gains[n] : 0, audioContext().currentTime, SWITCH_S / 3);
    }
  }

  function hearSide(n) {
    if (!sides[n].buffer) return;
    heard = n;
    if (playing) levels();
    update();
  }

  function update() {
    const both = sides.every(({ buffer }) => buffer);
    find('.play').textContent = t(playing ? 'compare.stop' : 'compare.play');
    find('.play').disabled = !sides[heard].buffer;
    find('.switch').disabled = !both;
    find('.seek').max = length() || 1;
    find('.hint').hidden = both;
    for (const [n, side] of sides.entries()) {
      side.el.toggleAttribute('data-heard', n === heard);
      side.el.querySelector('.hear').setAttribute('aria-pressed', String(n === heard));
      side.el.querySelector('.hear').disabled = !side.buffer;
    }
  }

  update();
  return {
    /** @param {0 | 1} n @param {import('./job-state.js').Job} job */
    put: (n, job) => put(n, job, titleOf(job, (task) => t(`task.${task}`))),
    /** A result that is gone, or made again, is no longer compared. @param {import('./job-state.js').Job[]} jobs */
    update(jobs) {
      for (const side of sides) {
        if (!side.job || jobs.some(({ id, state }) => id === side.job.id && state === 'done')) continue;
        stop();
        Object.assign(side, { job: null, sound: null, buffer: null });
        side.el.querySelector('.title').textContent = t('compare.none');
        side.el.querySelector('.facts').textContent = '';
        for (const canvas of side.el.querySelectorAll('canvas')) canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
        update();
      }
      if (sides.every(({ job }) => !job)) el.hidden = true;
    },
    recolour: () => sides.forEach(draw),
  };
}
