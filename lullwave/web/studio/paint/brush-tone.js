/** The brush as an instrument: while it paints, its tone is heard at once, long before the painting is sound. */

import { audioContext } from '../../shared/audio-context.js';

const RISE_S = 0.01;
const FALL_S = 0.08; // time constants of the loudness
const GLIDE_S = 0.012; // of the pitch
const LOUDEST = 0.2; // of full scale
const OVER_S = 0.6; // after its end the tone is gone

export function BrushTone() {
  let tone = null;

  function end() {
    if (!tone) return;
    const { context, gain, oscillator } = tone;
    gain.gain.setTargetAtTime(0, context.currentTime, FALL_S);
    oscillator.stop(context.currentTime + OVER_S);
    tone = null;
  }

  return {
    /** A stroke begins. @param {number} hz @param {{strength: number, overtones: number}} brush */
    begin(hz, { strength, overtones }) {
      end();
      const context = audioContext();
      if (!context) return;
      const parts = Float32Array.from({ length: overtones + 2 }, (_, n) => (n ? 1 / n : 0));
      const wave = new PeriodicWave(context, { imag: parts });
      const oscillator = new OscillatorNode(context, { frequency: hz, periodicWave: wave });
      const gain = new GainNode(context, { gain: 0 });
      oscillator.connect(gain).connect(context.destination);
      gain.gain.setTargetAtTime(LOUDEST * strength ** 2, context.currentTime, RISE_S);
      oscillator.start();
      tone = { context, oscillator, gain };
    },
    /** @param {number} hz */
    glide(hz) {
      tone?.oscillator.frequency.setTargetAtTime(hz, tone.context.currentTime, GLIDE_S);
    },
    end,
  };
}
