/** Places to begin: values for the fields of a task. Titles are in the strings of the page, under `preset.…`. */

export const PRESETS = {
  text: [
    { name: 'rainy', values: { prompt: 'rainy night piano, slow and warm', duration_s: 30 } },
    { name: 'beat', values: { prompt: 'lo-fi beat, rhodes, vinyl crackle, 78 bpm', duration_s: 30 } },
    { name: 'bossa', values: { prompt: 'bossa nova, nylon guitar, soft bass, 76 bpm', duration_s: 30 } },
    { name: 'synth', values: { prompt: 'futuristic synthwave, pads and arpeggio, 90 bpm', duration_s: 30 } },
    { name: 'ambient', values: { prompt: 'ambient pads, ocean waves, no drums', duration_s: 45 } },
  ],
  interpolate: [
    { name: 'bells-jazz', values: { start: 'church bells', end: 'jazz piano', clips: 5 } },
    { name: 'rain-synth', values: { start: 'acoustic folk guitar', end: 'synthwave', clips: 6, power: 1.5 } },
  ],
  transform: [
    { name: 'musicbox', values: { prompt: 'played on a music box', denoising: 0.5 } },
    { name: 'harp', values: { prompt: 'harp', magic_mix: true } },
  ],
  repaint: [
    { name: 'solo', values: { prompt: 'muted trumpet solo', repaint: '10:20' } },
    { name: 'harp-all', values: { prompt: 'the same on a harp', strength: 0.7 } },
  ],
  'image-to-audio': [
    { name: 'quick', values: { quality: 'fast', format: 'mp3' } },
    { name: 'careful', values: { quality: 'best', format: 'flac' } },
  ],
  'audio-to-image': [
    { name: 'riffusion', values: {} },
    { name: 'stereo', values: { stereo: true, bits: 16 } },
  ],
  'sample-clips': [
    { name: 'five', values: { count: 5, duration_ms: 5000, format: 'mp3' } },
    { name: 'one-shots', values: { count: 12, duration_ms: 1000, format: 'wav' } },
  ],
};

/** The fields that are seen at once; the others are under "more". */
export const FIRST_FIELDS = {
  text: ['prompt', 'engine', 'duration_s', 'seed', 'format'],
  batch: ['batch', 'engine', 'duration_s', 'seeds', 'format'],
  interpolate: ['start', 'end', 'clips', 'seed', 'preset', 'format'],
  transform: ['audio', 'prompt', 'denoising', 'seed', 'preset', 'format'],
  repaint: ['audio', 'prompt', 'repaint', 'strength', 'seed', 'format'],
  'image-to-audio': ['picture', 'quality', 'format', 'loudness_lufs'],
  'audio-to-image': ['audio', 'stereo', 'bits'],
  'sample-clips': ['audio', 'count', 'duration_ms', 'format', 'mono', 'seed'],
  stems: ['audio', 'keep'],
  moment: ['station', 'at', 'seconds', 'format'],
};

/** Options of engines that are fields of a task: not shown again among the engine's own. */
export const TASK_OPTIONS = { repaint: ['repaint', 'strength'] };
