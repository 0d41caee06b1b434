"""The original Riffusion's converter, rebuilt from torchaudio's public transforms with the same parameters.

torchaudio is not a dependency: the benchmark downloads it into a separate folder, without its native libraries, which
do not fit every torch and which these pure Python transforms do not use.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDER = Path(tempfile.gettempdir()) / "lullwave-bench-torchaudio"
VERSION = "torchaudio>=2.5"
FFT, WINDOW, HOP, BANDS = 17640, 4410, 441, 512


def install(folder: Path = FOLDER) -> Path:
    """Download torchaudio's Python files into ``folder``, once."""
    if not (folder / "torchaudio").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), VERSION]
        subprocess.run(pip, check=True)
        for library in folder.rglob("*.so"):
            library.unlink()
    return folder


class OldConverter:
    """The old converter, with amplitudes of 16-bit samples. Its phases are random: seed torch first."""

    def __init__(self) -> None:
        try:
            from torchaudio import transforms
        except (ImportError, OSError):
            sys.modules.pop("torchaudio", None)
            sys.path.insert(0, str(install()))
            from torchaudio import transforms
        import torch

        mel = {"n_mels": BANDS, "sample_rate": 44100, "f_min": 0, "f_max": 10000, "n_stft": FFT // 2 + 1}
        sizes: dict[str, Any] = {"n_fft": FFT, "hop_length": HOP, "win_length": WINDOW, "window_fn": torch.hann_window}
        self._torch = torch
        self._spectrogram = transforms.Spectrogram(power=None, center=True, pad_mode="reflect", **sizes)
        self._mel = transforms.MelScale(norm=None, mel_scale="htk", **mel)
        self._inverse_mel = transforms.InverseMelScale(norm=None, mel_scale="htk", **mel)
        self._griffin_lim = transforms.GriffinLim(n_iter=32, power=1.0, momentum=0.99, rand_init=True, **sizes)

    def analyse(self, sound: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(samples,) → (512, T)."""
        spectrum = self._spectrogram(self._torch.from_numpy(sound)[None])
        return np.asarray(self._mel(self._torch.abs(spectrum))[0].numpy())

    def synthesise(self, mel: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(512, T) → (samples,)."""
        self._torch.manual_seed(0)
        return np.asarray(self._griffin_lim(self._inverse_mel(self._torch.from_numpy(mel)[None]))[0].numpy())
