/** The levels and the beat of clips, computed in a worker so that the page stays smooth. */

/** @returns {{of: (buffer: AudioBuffer, image: Uint8Array | null) => Promise<{levels: Uint8Array, beat: Object | null}>}} */
export function ClipLevels() {
  const worker = new Worker(new URL('./levels-worker.js', import.meta.url), { type: 'module' });
  const waiting = new Map();
  let serial = 0;
  worker.onmessage = ({ data }) => {
    waiting.get(data.id)?.resolve(data);
    waiting.delete(data.id);
  };
  worker.onerror = (failure) => {
    failure.preventDefault();
    for (const { reject } of waiting.values()) reject(new Error('The spectrogram cannot be computed.'));
    waiting.clear();
  };

  return {
    of(buffer, image) {
      const samples = mono(buffer);
      serial += 1;
      const id = serial;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        worker.postMessage({ id, samples, rate: buffer.sampleRate, image }, [samples.buffer, ...(image ? [image.buffer] : [])]);
      });
    },
  };
}

/** The mean of the channels. @param {AudioBuffer} buffer */
function mono(buffer) {
  const sum = buffer.getChannelData(0).slice();
  for (let channel = 1; channel < buffer.numberOfChannels; channel += 1) {
    const one = buffer.getChannelData(channel);
    for (let i = 0; i < sum.length; i += 1) sum[i] += one[i];
  }
  if (buffer.numberOfChannels > 1) for (let i = 0; i < sum.length; i += 1) sum[i] /= buffer.numberOfChannels;
  return sum;
}
