"""Public music taggers: musicnn's two networks, run with torch.

Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging" (2019). The package
``musicnn`` ships the weights; its code needs TensorFlow, so the network is written here after the paper's description:

::

    log-mel (187 x 96) ─ timbral (7 x 38, 7 x 67) and temporal (128, 64, 32 x 1) convolutions ─ three dense layers of
    convolutions ─ maximum and mean over time ─ 200 units ─ 50 tags
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bench.embedded.tf_checkpoint import read_arrays

if TYPE_CHECKING:
    import torch

RATE = 16000  # Hz, of the networks' input
WINDOW = 187  # frames of one reading: 3 s at a hop of 256 samples
MODELS = {"mtt": ("MTT_musicnn", "MTT_LABELS"), "msd": ("MSD_musicnn", "MSD_LABELS")}


@dataclass(frozen=True)
class Reading:
    """The output of a tagger for a clip."""

    tags: dict[str, float]  # probability of each tag, the mean over windows of 3 s; the likeliest first
    hidden: npt.NDArray[np.float32]  # (200,) the last hidden layer after its normalisation, the mean over windows


class Tagger:
    """One of musicnn's networks. ``mtt`` knows the tags of MagnaTagATune, ``msd`` those of the Million Song Dataset.

    Raises:
        ModuleNotFoundError: the package ``musicnn`` is not installed.
    """

    def __init__(self, model: str = "mtt") -> None:
        import torch

        spec = importlib.util.find_spec("musicnn")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("the taggers need: pip install --no-deps musicnn==0.1.0")
        home = Path(spec.submodule_search_locations[0])
        folder, labels = MODELS[model]
        names: dict[str, Any] = {}
        exec((home / "configuration.py").read_text(), names)  # constants; importing the package needs TensorFlow
        self.labels: list[str] = names[labels]
        self._arrays = {name: torch.from_numpy(array) for name, array in read_arrays(home / folder).items()}

    def read(self, mono: npt.NDArray[np.float32], rate: int) -> Reading:
        """Tags of ``mono`` (T,), at least 3 s long."""
        import torch

        with torch.inference_mode():
            hidden = self._hidden(torch.from_numpy(_windows(mono, rate)))
            logits = hidden @ self._arrays["dense_1/kernel"] + self._arrays["dense_1/bias"]
            chances = torch.sigmoid(logits).mean(0).tolist()
        order = sorted(range(len(chances)), key=lambda i: -chances[i])
        return Reading({self.labels[i]: chances[i] for i in order}, hidden.mean(0).numpy())

    def _hidden(self, windows: torch.Tensor) -> torch.Tensor:
        """(N, 200) of windows (N, 187, 96)."""
        import torch
        from torch.nn.functional import pad, relu

        x = self._norm(windows[:, None], 0)
        timbral = [self._norm(self._convolve(pad(x, (0, 0, 3, 3)), i), i + 1).amax(3) for i in (0, 1)]
        temporal = []
        for i, length in ((2, 128), (3, 64), (4, 32)):
            before = (length - 1) // 2
            same = pad(x, (0, 0, before, length - 1 - before))
            temporal.append(self._norm(self._convolve(same, i), i + 1).amax(3))
        layers = [torch.cat([*timbral, *temporal], 1)]  # each (N, channels, time)
        for i in (5, 6, 7):
            image = pad(layers[-1].transpose(1, 2)[:, None], (0, 0, 3, 3))
            made = self._norm(self._convolve(image, i)[..., 0], i + 1)
            layers.append(made if i == 5 else made + layers[-1])
        every = torch.cat(layers, 1)
        pooled = self._norm(torch.stack([every.amax(2), every.mean(2)], 2).flatten(1), 9)
        return self._norm(relu(pooled @ self._arrays["dense/kernel"] + self._arrays["dense/bias"]), 10)

    def _convolve(self, x: torch.Tensor, i: int) -> torch.Tensor:
        from torch.nn.functional import conv2d, relu

        name = f"conv2d_{i}" if i else "conv2d"
        return relu(conv2d(x, self._arrays[f"{name}/kernel"].permute(3, 2, 0, 1), self._arrays[f"{name}/bias"]))

    def _norm(self, x: torch.Tensor, i: int) -> torch.Tensor:
        """Batch normalisation number ``i`` over axis 1."""
        from torch.nn.functional import batch_norm

        name = f"batch_normalization_{i}" if i else "batch_normalization"
        mean, variance, scale, shift = (
            self._arrays[f"{name}/{part}"] for part in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        return batch_norm(x, mean, variance, scale, shift, eps=1e-3)


def _windows(mono: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
    """(N, 187, 96) log-mel windows side by side, as the networks were trained: power, half precision."""
    import librosa
    import soxr

    y = soxr.resample(np.asarray(mono, np.float32), rate, RATE)
    power = librosa.feature.melspectrogram(y=y, sr=RATE, n_fft=512, hop_length=256, n_mels=96).T
    level = np.log10(1e4 * power.astype(np.float16).astype(np.float32) + 1)
    count = len(level) // WINDOW
    if not count:
        raise ValueError(f"a tagger needs at least 3 s, got {len(mono) / rate:.1f} s")
    return level[: count * WINDOW].reshape(count, WINDOW, -1).astype(np.float32)
