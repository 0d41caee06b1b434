/** A radix-2 fast Fourier transform and the mel scale, for drawings; pure. */

/**
 * Magnitudes of the lower half of the spectrum of `size` windowed samples, `size` a power of two.
 *
 * @param {number} size @returns {(samples: Float32Array, start: number, into: Float32Array) => Float32Array}
 */
export function Spectrum(size) {
  const window = Float32Array.from({ length: size }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size));
  const bits = Math.log2(size);
  const swap = Uint32Array.from({ length: size }, (_, n) => {
    let reversed = 0;
    for (let bit = 0; bit < bits; bit += 1) reversed |= ((n >> bit) & 1) << (bits - 1 - bit);
    return reversed;
  });
  const cos = Float32Array.from({ length: size / 2 }, (_, n) => Math.cos((2 * Math.PI * n) / size));
  const sin = Float32Array.from({ length: size / 2 }, (_, n) => -Math.sin((2 * Math.PI * n) / size));
  const re = new Float32Array(size);
  const im = new Float32Array(size);

  return (samples, start, into = new Float32Array(size / 2)) => {
    for (let n = 0; n < size; n += 1) {
      re[swap[n]] = (samples[start + n] ?? 0) * window[n];
      im[n] = 0;
    }
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half);
      for (let block = 0; block < size; block += 2 * half) {
        for (let k = 0; k < half; k += 1) {
          const [a, b] = [block + k, block + k + half];
          const [c, s] = [cos[k * stride], sin[k * stride]];
          const x = re[b] * c - im[b] * s;
          const y = re[b] * s + im[b] * c;
          re[b] = re[a] - x;
          im[b] = im[a] - y;
          re[a] += x;
          im[a] += y;
        }
      }
    }
    for (let k = 0; k < size / 2; k += 1) into[k] = Math.hypot(re[k], im[k]);
    return into;
  };
}

/** HTK's mel scale (Young et al., The HTK Book, 5.4). @param {number} hz */
export const melOf = (hz) => 2595 * Math.log10(1 + hz / 700);

/** @param {number} mel */
export const hzOf = (mel) => 700 * (10 ** (mel / 2595) - 1);
