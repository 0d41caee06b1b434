/**
 * Runs a page on a simulated clock, for tests and benchmarks of Riff: put into the page before its own scripts.
 *
 * Timers, `performance.now` and the clock of an `AudioContext` go on by `STEP_S` at a time, as fast as the machine lets
 * them, so that a slow machine makes no gap. Sounds are decoded but not played: what is scheduled is noted, and
 * `simulated.level(t)` tells how loud the schedule is at a time, 1 being one clip at full gain.
 */

(() => {
  const STEP_S = 0.2;
  const EVERY_MS = 8;
  const start = performance.now();
  const every = globalThis.setInterval.bind(globalThis);
  const timers = new Map();
  let elapsedMs = 0;
  let serial = 0;

  const timer = (fn, ms, args, againMs) => {
    serial += 1;
    timers.set(serial, { atMs: elapsedMs + Number(ms || 0), fn: () => fn(...args), againMs });
    return serial;
  };
  globalThis.setTimeout = (fn, ms, ...args) => timer(fn, ms, args, null);
  globalThis.setInterval = (fn, ms, ...args) => timer(fn, ms, args, Math.max(1, Number(ms)));
  globalThis.clearTimeout = globalThis.clearInterval = (id) => timers.delete(id);
  performance.now = () => start + elapsedMs;

  const decoder = new OfflineAudioContext(1, 1, 44100);
  const sounds = []; // numbers alone: [start, offset, length, until, fade in, fade out, loops]
  const contexts = new Set();

  class Param {
    constructor(value) {
      this.value = value;
    }
    setValueCurveAtTime(curve, atS, lastsS) {
      if (atS < 0 || lastsS <= 0) throw new RangeError(`a fade at ${atS} for ${lastsS}`);
      this.curve = { atS, lastsS };
    }
    cancelScheduledValues() {}
    setTargetAtTime() {}
  }
  class Node {
    gain = new Param(1);
    connect(to) {
      this.to = to;
      return to;
    }
    disconnect() {}
    start(atS, offsetS) {
      this.sound = [atS, offsetS, this.buffer.duration, Infinity, 0, 0, this.loop ? 1 : 0];
      sounds.push(this.sound);
    }
    stop(atS = -1) {
      const [rise, fall] = [this.to.gain.curve, this.to.to.gain.curve];
      if (atS < 0) this.sound[3] = Math.min(this.sound[3], this.sound[0] > simulated.timeS() ? -Infinity : simulated.timeS());
      else [this.sound[3], this.sound[4], this.sound[5]] = [fall.atS, rise.lastsS, fall.lastsS];
    }
  }
  globalThis.GainNode = Node;
  globalThis.AudioContext = class {
    state = 'running';
    currentTime = 0;
    baseLatency = 0;
    destination = new Node();
    constructor() {
      contexts.add(this);
    }
    createGain = () => new Node();
    createBufferSource = () => new Node();
    decodeAudioData = (bytes) => decoder.decodeAudioData(bytes);
    async resume() {
      this.state = 'running';
    }
    async suspend() {
      this.state = 'suspended';
    }
  };

  every(() => {
    elapsedMs += 1000 * STEP_S;
    for (const context of contexts) if (context.state === 'running') context.currentTime += STEP_S;
    for (const [id, { atMs, fn, againMs }] of [...timers]) {
      if (atMs > elapsedMs || !timers.has(id)) continue;
      if (againMs === null) timers.delete(id);
      else timers.get(id).atMs = elapsedMs + againMs;
      fn();
    }
  }, EVERY_MS);

  const gainOf = ([atS, offsetS, lengthS, untilS, fadeInS, fadeOutS, loops], t) => {
    if (t < atS || t >= untilS + fadeOutS || (!loops && offsetS + t - atS > lengthS + 0.001)) return 0;
    const rise = Math.min(1, (t - atS) / fadeInS);
    const fall = 1 - Math.max(0, Math.min(1, (t - untilS) / fadeOutS));
    return Math.sin(0.5 * Math.PI * rise) * Math.sin(0.5 * Math.PI * fall);
  };
  globalThis.simulated = {
    sounds,
    skip: (seconds) => (elapsedMs += 1000 * seconds),
    timeS: () => Math.max(0, ...[...contexts].map((one) => one.currentTime)),
    level: (t) => Math.sqrt(sounds.reduce((sum, sound) => sum + gainOf(sound, t) ** 2, 0)),
    /** The quietest moment between the first sound and now, looked for every 5 ms, and the number of moments. */
    quietest() {
      const endS = this.timeS() - 0.1;
      const beginS = sounds[0][0] + 0.03;
      let worst = { level: Infinity, t: null };
      let live = [];
      const coming = [...sounds].sort((a, b) => a[0] - b[0]);
      for (let t = beginS; t < endS; t += 0.005) {
        while (coming.length && coming[0][0] <= t) live.push(coming.shift());
        live = live.filter((one) => one[3] + one[5] > t);
        const level = Math.sqrt(live.reduce((sum, one) => sum + gainOf(one, t) ** 2, 0));
        if (level < worst.level) worst = { level, t };
      }
      return { ...worst, seconds: endS - beginS };
    },
  };
})();
