"""A pipeline of diffusers with a ``model_index.json``: loads it and makes clips with it; callbacks tell the steps."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from ...audio import Samples
from ...errors import EngineError
from .kinds import DEFAULT_CLIP_S, Progress, frames
from .loading import has_accelerate, moving, reading
from .placement import OffloadNeeds, Placement
from .signature import Parameter, PipelineSignature


class StandardPipeline:
    """A loaded ``DiffusionPipeline``. One thread at a time."""

    needs: ClassVar[OffloadNeeds] = OffloadNeeds()
    ends_early: ClassVar[bool] = False
    samples_tokens: ClassVar[bool] = False

    def __init__(self, directory: Path, placement: Placement, device: torch.device) -> None:
        """Load a pipeline.

        Raises:
            CheckpointError, MissingExtra, EngineError (too little memory, or no audio from text)
        """
        self.pipeline = _loaded(directory, placement)
        with moving(device):
            put(self.pipeline, placement, device)
        kind = type(self.pipeline)
        found = inspect.signature(kind.__call__).parameters.values()
        empty = inspect.Parameter.empty
        self.signature = PipelineSignature(
            kind.__name__, {p.name: Parameter(p.annotation, None if p.default is empty else p.default) for p in found}
        )
        self.rate, self.channels = _format(self.pipeline)
        self.own_length_s = _own_length_s(self.pipeline, self.signature.length, self.rate)

    def plain(self, prompt: str, generator: torch.Generator, arguments: Mapping[str, Any]) -> Samples:
        return frames(self.pipeline(prompt=prompt, generator=generator, **arguments).audios[0])

    def run(self, prompt: str, generator: torch.Generator, arguments: Mapping[str, Any], progress: Progress) -> Samples:
        return self.plain(prompt, generator, {**arguments, **self._callback(progress)})

    def _callback(self, progress: Progress) -> dict[str, Any]:
        """The argument by which this pipeline calls back after each step."""
        done = 0

        def after_step() -> None:
            nonlocal done
            done += 1
            progress(done, int(getattr(self.pipeline, "num_timesteps", 0) or 0))

        def at_end(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            after_step()
            return tensors

        if "callback_on_step_end" in self.signature.names:
            return {"callback_on_step_end": at_end}
        if "callback" in self.signature.names:
            return {"callback": lambda step, timestep, latents: after_step(), "callback_steps": 1}
        return {}


def _loaded(directory: Path, placement: Placement) -> Any:
    import diffusers

    frugal = has_accelerate(placement)
    with reading(directory):
        pipeline = diffusers.DiffusionPipeline.from_pretrained(
            str(directory), torch_dtype=placement.dtype, local_files_only=True, low_cpu_mem_usage=frugal
        )
    pipeline.set_progress_bar_config(disable=True)
    if type(pipeline).__name__ == "MusicLDMPipeline":
        _return_plain_features(pipeline.text_encoder)
    return pipeline


def put(pipeline: Any, placement: Placement, device: torch.device) -> None:
    """Move a pipeline to ``device``, or let it move networks or layers there when they are needed."""
    if placement.offload == "model":
        _offload(pipeline.enable_model_cpu_offload, device)
    elif placement.offload == "sequential":
        _offload(pipeline.enable_sequential_cpu_offload, device)
    else:
        pipeline.to(device)
    vae = getattr(pipeline, "vae", None)
    for name in ("enable_tiling", "enable_slicing") if placement.tiled else ():
        if hasattr(vae, name):
            getattr(vae, name)()


def _offload(enable: Callable[..., Any], device: torch.device) -> None:
    """Call a pipeline's function that offloads. It takes the device, or only the number of a GPU (MusicLDM)."""
    if "device" in inspect.signature(enable).parameters:
        enable(device=device)
    else:
        enable(gpu_id=device.index or 0)


def _return_plain_features(encoder: Any) -> None:
    """Let CLAP return a tensor again: since transformers 5 it returns an object, which MusicLDM does not know."""
    original = encoder.get_text_features

    def features(*args: Any, **named: Any) -> Any:
        made = original(*args, **named)
        return getattr(made, "pooler_output", made)

    encoder.get_text_features = features


def _format(pipeline: Any) -> tuple[int, int]:
    """Rate in Hz and channels of a pipeline's sound."""
    vae = getattr(pipeline, "vae", None)
    config = getattr(vae, "config", {})
    if vocoder := getattr(pipeline, "vocoder", None):
        return int(vocoder.config.sampling_rate), 1
    rate = getattr(config, "sampling_rate", None) or getattr(pipeline, "sample_rate", None)
    if not rate:
        raise EngineError(f"{type(pipeline).__name__} does not tell its sample rate")
    return int(rate), int(getattr(config, "audio_channels", 2))


def _own_length_s(pipeline: Any, length: str, rate: int) -> float:
    """The length in seconds that a model was trained on, where its configuration tells it."""
    if length == "audio_end_in_s":
        return float(pipeline.transformer.config.sample_size * pipeline.vae.hop_length / rate)
    if length == "audio_length_in_s":
        frame_s = float(np.prod(pipeline.vocoder.config.upsample_rates)) / rate
        size = pipeline.unet.config.sample_size
        return float((size if isinstance(size, int) else size[0]) * pipeline.vae_scale_factor * frame_s)
    return DEFAULT_CLIP_S
