"""Loads and checks a Stable Audio 3 checkpoint: a directory in diffusers format."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ....errors import CheckpointError
from ...networks import load_in_parts, load_network
from .autoencoder import Autoencoder
from .denoiser import Denoiser
from .native_layers import NativeLayers
from .packing import available
from .quantization import quantize_decoder, quantize_denoiser
from .text_states import TextStates

log = logging.getLogger(__name__)

NETWORKS = ("transformer", "vae", "text_encoder")  # in the precision that is asked for
DURATION = "duration_embedder"  # always in float32
PARTS = (*NETWORKS, DURATION, "tokenizer", "scheduler")


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks of a checkpoint on one device."""

    transformer: Any
    denoiser: Denoiser
    autoencoder: Autoencoder
    text: TextStates
    duration: Any  # seconds (B,) → (B, D)
    scheduler: Any
    device: torch.device
    dtype: torch.dtype
    max_s: float  # longest sound that the duration embedder tells apart, in seconds
    fingerprint: str  # of the files


def memory_of(directory: Path, dtype: torch.dtype) -> dict[Path, int]:
    """The bytes that a parameter takes once it is loaded, by the folders of the networks.

    Raises:
        CheckpointError: a part is missing.
    """
    check_parts(directory)
    return {directory / part: dtype.itemsize for part in NETWORKS} | {directory / DURATION: torch.float32.itemsize}


def check_parts(directory: Path) -> None:
    """Check that a directory has a folder for every part.

    Raises:
        CheckpointError: one is missing.
    """
    for part in PARTS:
        if not (directory / part).is_dir():
            raise CheckpointError(
                f"{directory} is not a Stable Audio 3 checkpoint in diffusers format: it has no folder {part!r} "
                f"(needed: {', '.join(PARTS)})"
            )


def load(
    directory: Path, device: torch.device, dtype: torch.dtype, int8: bool = False, native: NativeLayers | None = None
) -> Networks:
    """Load a directory; with ``int8``, the denoiser and the decoder multiply in 8 bits.

    ``native``: in bfloat16 on a CPU, layers are computed by the native package, where it knows their sizes.

    Raises:
        CheckpointError: a part is missing or damaged, or it is another architecture.
        MemoryError: it does not fit into the memory of the device.
    """
    import diffusers
    import transformers

    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()
    check_parts(directory)
    try:
        from diffusers.pipelines.stable_audio_3 import StableAudio3DurationEmbedder

        encoder = load_network(transformers.T5GemmaEncoderModel, directory / "text_encoder", dtype)
        transformer = load_in_parts(diffusers.StableAudio3DiTModel, directory / "transformer", dtype)
        if int8:
            quantize_denoiser(transformer)  # before the next network needs memory
        vae = load_in_parts(diffusers.AutoencoderSAME, directory / "vae", dtype)
        if int8:
            quantize_decoder(vae)
        angles = torch.float32  # of hundreds of turns, which fewer bits would round to any angle
        duration = load_network(StableAudio3DurationEmbedder, directory / "duration_embedder", angles)
        tokenizer = transformers.AutoTokenizer.from_pretrained(directory / "tokenizer", local_files_only=True)
        scheduler = diffusers.FlowMatchEulerDiscreteScheduler.from_pretrained(directory / "scheduler")
    except (CheckpointError, MemoryError):
        raise
    except (AttributeError, ImportError) as error:
        raise CheckpointError(f"the engine 'stable-audio' needs diffusers 0.42 or later: {error}") from error
    except Exception as error:  # the libraries raise errors of all kinds for a damaged file
        raise CheckpointError(f"{directory} cannot be loaded: {error}") from error
    _check(directory, transformer, vae, encoder, duration)
    try:
        for network in (transformer, vae, encoder, duration):
            network.to(device).requires_grad_(False).eval()
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
    log.info("loaded %s on %s in %s", directory, device, "int8" if int8 else str(dtype).removeprefix("torch."))
    return Networks(
        transformer=transformer,
        denoiser=Denoiser(transformer, packed=available(device, dtype) and not int8, native=native),
        autoencoder=Autoencoder(vae, device, dtype, native),
        text=TextStates(tokenizer, encoder, transformer.prompt_padding_embedding),
        duration=duration,
        scheduler=scheduler,
        device=device,
        dtype=dtype,
        max_s=float(duration.config.max_val),
        fingerprint=_fingerprint(directory),
    )


def _check(directory: Path, transformer: Any, vae: Any, encoder: Any, duration: Any) -> None:
    config, wrong = transformer.config, []
    text = encoder.config.encoder.hidden_size
    for what, given, expected in (
        ("latent channels", config.io_channels, vae.config.latent_dim),
        ("channels of what is known", config.local_add_cond_dim, vae.config.latent_dim + 1),
        ("a text width", config.cond_token_dim, text),
        ("a duration width", config.global_cond_dim, duration.config.output_dim),
        ("a patch size", config.patch_size, 1),
    ):
        if given != expected:
            wrong.append(f"the transformer has {what} of {given}, not {expected}")
    if wrong:
        raise CheckpointError(f"{directory} is not a Stable Audio 3 checkpoint: " + "; ".join(wrong))


def _fingerprint(directory: Path) -> str:
    """Identify the weights by their configurations and by the size and the first MiB of each file of weights."""
    digest = hashlib.sha256()
    for part in (*NETWORKS, DURATION):
        for file in sorted((directory / part).iterdir()):
            if file.suffix in (".safetensors", ".bin", ".json"):
                digest.update(json.dumps([part, file.name, file.stat().st_size]).encode())
                with file.open("rb") as opened:
                    digest.update(opened.read(1 << 20))
    return digest.hexdigest()[:16]
