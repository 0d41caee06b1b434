"""The sizes of a MusicGen model, read from the checkpoint's ``config.json``.

Letters in this package: S steps or sequence, K codebooks, D hidden size, H heads, V vocabulary, R rows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import CheckpointError

FRAME_RATE = 50  # token frames per second, in every published checkpoint


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the decoder, the text encoder's output and the codec."""

    hidden: int
    layers: int
    heads: int
    ffn: int
    codebooks: int
    channels: int
    vocabulary: int  # tokens per codebook; this number itself is the pad and start token
    text_hidden: int
    rate: int  # Hz
    hop_samples: int  # samples per token frame
    chroma_bins: int = (
        0  # 0: not a melody model; melody models have the prompt before the tokens and no cross-attention
    )
    chroma_frames: int = 0

    @property
    def melody(self) -> bool:
        return self.chroma_bins > 0

    @property
    def head_size(self) -> int:
        return self.hidden // self.heads

    @property
    def pad(self) -> int:
        """The token before a codebook's first frame and after its last."""
        return self.vocabulary

    @property
    def delays(self) -> tuple[int, ...]:
        """Delay of each codebook in steps (Copet et al. 2023, figure 1); left and right channels are interleaved."""
        return tuple(k // self.channels for k in range(self.codebooks))

    @classmethod
    def read(cls, directory: Path) -> ModelConfig:
        """Read the configuration of the checkpoint in ``directory``.

        Raises:
            CheckpointError: the file is absent, damaged or of another architecture.
        """
        file = directory / "config.json"
        try:
            raw = json.loads(file.read_text())
        except FileNotFoundError:
            raise CheckpointError(f"{directory} holds no checkpoint: config.json is missing") from None
        except (OSError, ValueError, RecursionError) as error:
            raise CheckpointError(f"{file} cannot be read: {error}; pull the model again") from None
        kind = raw.get("model_type") if isinstance(raw, dict) else None
        if kind not in ("musicgen", "musicgen_melody"):
            raise CheckpointError(
                f"{directory} has the architecture {kind!r}; this engine supports 'musicgen' and "
                "'musicgen_melody' (for example facebook/musicgen-small)"
            )
        try:
            return cls._from(_with_defaults(raw, kind), kind)
        except ImportError:
            raise
        except Exception as error:  # the library's validators raise exceptions of many types
            told = " ".join(str(error).split())
            raise CheckpointError(f"{file} is damaged or not supported: {told}; pull the model again") from None

    @classmethod
    def _from(cls, hf_config: Any, kind: str) -> ModelConfig:
        decoder, audio = hf_config.decoder, hf_config.audio_encoder
        melody = kind == "musicgen_melody"
        config = cls(
            hidden=decoder.hidden_size,
            layers=decoder.num_hidden_layers,
            heads=decoder.num_attention_heads,
            ffn=decoder.ffn_dim,
            codebooks=decoder.num_codebooks,
            channels=decoder.audio_channels,
            vocabulary=decoder.vocab_size,
            text_hidden=hf_config.text_encoder.d_model,
            rate=audio.sampling_rate,
            hop_samples=audio.hop_length,
            chroma_bins=hf_config.num_chroma if melody else 0,
            chroma_frames=hf_config.chroma_length if melody else 0,
        )
        if min(config.heads, config.channels, config.layers) < 1:
            raise ValueError("heads, channels and layers must be at least 1")
        if config.hidden % config.heads or config.codebooks % config.channels:
            raise ValueError("the hidden size must be a multiple of the heads, and the codebooks of the channels")
        if config.rate != FRAME_RATE * config.hop_samples:
            raise ValueError(
                f"the frame rate must be {FRAME_RATE} per second, not {config.rate} / {config.hop_samples}"
            )
        if config.codebooks != config.channels * audio.num_quantizers:
            raise ValueError("decoder and codec disagree about the number of codebooks")
        if decoder.activation_function != "gelu" or audio.use_causal_conv or audio.normalize:
            raise ValueError("only GELU decoders with the non-causal 32 kHz EnCodec are supported")
        if decoder.vocab_size != audio.codebook_size:
            raise ValueError("decoder and codec disagree about the size of a codebook")
        return config


def _with_defaults(raw: dict[str, Any], kind: str) -> Any:
    """Parse the configuration with ``transformers``, which fills in the published defaults."""
    import transformers

    name = "MusicgenMelodyConfig" if kind == "musicgen_melody" else "MusicgenConfig"
    return getattr(transformers, name).from_dict(raw)
