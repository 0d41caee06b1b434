"""Encodes audio prompts: tokens to continue from, and chroma to follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...audio import Audio
from ...errors import InvalidInput
from .model.config import FRAME_RATE, ModelConfig
from .model.weights import Weights, load_into

CONTINUED_S = 12.0  # length of the audio that a song continues: the published overlap of two windows
_FFT = 16384
_HOP = 4096


class AudioPromptEncoder:
    """Encodes audio for the decoder; the codec's encoder is loaded on first use."""

    def __init__(self, config: ModelConfig, weights: Weights, hf_config: Any, device: torch.device) -> None:
        self._config, self._weights, self._hf_config, self._device = config, weights, hf_config, device
        self._encoder: Any = None

    @torch.inference_mode()
    def tokens(self, audio: Audio) -> Tensor:
        """Encode the last ``CONTINUED_S`` as tokens (K, T).

        Raises:
            InvalidInput: shorter than half a second.
        """
        audio = audio.resample(self._config.rate).to_channels(self._config.channels)
        hop = self._config.hop_samples
        frames = min(int(CONTINUED_S * FRAME_RATE), audio.frames // hop)
        if frames < FRAME_RATE // 2:
            raise InvalidInput("continue_from", f"{audio.duration_s:.2f} s", "at least 0.5 s of audio")
        samples = torch.from_numpy(audio.samples[audio.frames - frames * hop :].T.copy()).to(self._device)
        codes = [self._model().encode(one[None, None]).audio_codes[0, 0] for one in samples]
        return torch.stack(codes, 1).flatten(0, 1).cpu()

    def chroma(self, audio: Audio) -> Tensor:
        """The strongest pitch class over time, (T, bins) of zeros and ones (Copet et al. 2023, section 3.1).

        Raises:
            InvalidInput: the model cannot follow a melody, or the audio is empty.
        """
        if not self._config.melody:
            raise InvalidInput("melody", "audio", "only with a melody checkpoint, such as facebook/musicgen-melody")
        if not audio.frames:
            raise InvalidInput("melody", "no audio", "at least one sample")
        from transformers.audio_utils import chroma_filter_bank

        wave = torch.from_numpy(audio.resample(self._config.rate).to_channels(1).samples[:, 0].copy())
        short = _FFT - wave.shape[0]
        if short > 0:
            wave = torch.nn.functional.pad(wave, (short // 2, short - short // 2))
        window = torch.hann_window(_FFT)
        power = torch.stft(wave, _FFT, _HOP, window=window, center=True, return_complex=True).abs().square()
        bank = chroma_filter_bank(_FFT, self._config.chroma_bins, self._config.rate, tuning=0)
        classes = torch.from_numpy(np.asarray(bank, np.float32)) @ power
        return torch.nn.functional.one_hot(classes.argmax(0), self._config.chroma_bins).float()

    def _model(self) -> Any:
        if self._encoder is None:
            import transformers

            model = transformers.EncodecModel(self._hf_config)
            state = {name: tensor.float() for name, tensor in self._weights.part("audio_encoder.").items()}
            load_into(model, state, self._weights.directory, "the codec")
            self._encoder = model.eval().to(self._device)
        return self._encoder
