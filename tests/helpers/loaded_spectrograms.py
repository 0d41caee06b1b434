"""Imported by the process that ``forked_program`` forks from: compiled kernels are loaded once, not in every run."""

import numpy as np

from lullwave import Audio, Spectrogram

Spectrogram.from_audio(Audio.of(np.sin(np.arange(8820) / 20).astype(np.float32), 44100)).to_audio()
