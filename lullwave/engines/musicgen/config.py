"""The shape of a MusicGen checkpoint, read from its ``config.json``; knows nothing of weights.

Letters used in this package: S steps or sequence, K codebooks, D hidden size, H heads, V vocabulary, R rows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import CheckpointError

FRAME_RATE = 50  # token frames a second of every published checkpoint


@dataclass(frozen=True)
class Shape:
    """Sizes of the decoder and of what feeds it."""

    hidden: int
    layers: int
    heads: int
    ffn: int
    codebooks: int
    channels: int
    vocabulary: int  # tokens per codebook; the number itself is the pad and start token
    text_hidden: int
    rate: int  # Hz
    hop_samples: int  # samples of one token frame
    chroma_bins: int = 0  # 0: no melody; else the prompt stands before the sequence, and there is no cross-attention
    chroma_frames: int = 0

    @property
    def melody(self) -> bool:
        return self.chroma_bins > 0

    @property
    def head_size(self) -> int:
        return self.hidden // self.heads

    @property
    def pad(self) -> int:
        """The token that stands for nothing: before a codebook's first frame and after its last."""
        return self.vocabulary

    @property
    def delays(self) -> tuple[int, ...]:
        """By how many steps each codebook lags (Copet et al. 2023, figure 1); left and right are interleaved."""
        return tuple(k // self.channels for k in range(self.codebooks))

    @classmethod
    def read(cls, directory: Path) -> Shape:
        """The shape of the checkpoint in ``directory``.

        Raises:
            CheckpointError: no configuration, damaged, or of another architecture.
        """
        file = directory / "config.json"
        try:
            raw = json.loads(file.read_text())
        except FileNotFoundError:
            raise CheckpointError(f"{directory} holds no checkpoint: config.json is absent") from None
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{file} cannot be read: {error}; pull the model again") from None
        kind = raw.get("model_type") if isinstance(raw, dict) else None
        if kind not in ("musicgen", "musicgen_melody"):
            raise CheckpointError(
                f"{directory} is a checkpoint of the architecture {kind!r}; this engine plays 'musicgen' and "
                "'musicgen_melody' (for example facebook/musicgen-small)"
            )
        try:
            return cls._from(_with_defaults(raw, kind), kind)
        except ImportError:
            raise
        except Exception as error:  # the library's validators raise kinds of their own
            told = " ".join(str(error).split())
            raise CheckpointError(f"{file} is damaged or of an unknown kind: {told}; pull the model again") from None

    @classmethod
    def _from(cls, config: Any, kind: str) -> Shape:
        decoder, audio = config.decoder, config.audio_encoder
        melody = kind == "musicgen_melody"
        shape = cls(
            hidden=decoder.hidden_size,
            layers=decoder.num_hidden_layers,
            heads=decoder.num_attention_heads,
            ffn=decoder.ffn_dim,
            codebooks=decoder.num_codebooks,
            channels=decoder.audio_channels,
            vocabulary=decoder.vocab_size,
            text_hidden=config.text_encoder.d_model,
            rate=audio.sampling_rate,
            hop_samples=audio.hop_length,
            chroma_bins=config.num_chroma if melody else 0,
            chroma_frames=config.chroma_length if melody else 0,
        )
        if min(shape.heads, shape.channels, shape.layers) < 1:
            raise ValueError("there must be heads, channels and layers")
        if shape.hidden % shape.heads or shape.codebooks % shape.channels:
            raise ValueError("heads must divide the hidden size, and channels the codebooks")
        if shape.rate != FRAME_RATE * shape.hop_samples:
            raise ValueError(f"only {FRAME_RATE} frames a second are known, not {shape.rate} / {shape.hop_samples}")
        if shape.codebooks != shape.channels * audio.num_quantizers:
            raise ValueError("decoder and codec disagree about the number of codebooks")
        if decoder.activation_function != "gelu" or audio.use_causal_conv or audio.normalize:
            raise ValueError("only GELU decoders with the non-causal 32 kHz EnCodec are known")
        if decoder.vocab_size != audio.codebook_size:
            raise ValueError("decoder and codec disagree about the size of a codebook")
        return shape


def _with_defaults(raw: dict[str, Any], kind: str) -> Any:
    """The configuration as ``transformers`` understands it, so that absent fields have their published defaults."""
    import transformers

    name = "MusicgenMelodyConfig" if kind == "musicgen_melody" else "MusicgenConfig"
    return getattr(transformers, name).from_dict(raw)
