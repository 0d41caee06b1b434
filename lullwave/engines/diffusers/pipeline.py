"""Loads a pipeline and makes single clips with it, one at a time; tells each step and stops between steps."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...audio import Audio, Samples
from ...errors import CheckpointError, EngineError, EngineFailed, LullwaveError, MissingExtra, StreamClosed
from .placement import Placement, place, weight_sizes
from .signature import PipelineSignature

DEFAULT_CLIP_S = 30.0  # of a model that does not tell the length it was trained on
WAIT_S = 0.1  # how often a clip that waits for another one looks whether it was cancelled

Progress = Callable[[int, int], None]  # (steps done, steps in total)


class ClipPipeline:
    """A loaded pipeline. Thread-safe: clips are made one after another."""

    def __init__(self, directory: Path, device: torch.device, dtype: str, offload: str) -> None:
        """Load a pipeline.

        Raises:
            CheckpointError: it is not one, or damaged.
            EngineError: it does not fit into the memory, or makes no audio from text.
        """
        self.kind = _kind(directory)
        sizes = weight_sizes(directory)
        if not sizes:
            raise CheckpointError(f"{directory} holds no weights (.safetensors or .bin)")
        self.placement = place(sizes, _stored_bytes(directory), device, dtype, offload)
        self._pipeline = _loaded(directory, self.placement, device)
        self._pipeline.set_progress_bar_config(disable=True)
        self.signature = PipelineSignature(self._pipeline)
        self.rate, self.channels = _format(self._pipeline)
        self.default_clip_s = _own_length_s(self._pipeline, self.signature.length)
        self._turn = threading.Lock()

    def make(
        self,
        prompt: str,
        avoid: str,
        seed: int,
        length_s: float,
        steps: int | None,
        guidance: float | None,
        extra: Mapping[str, Any],
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> Audio:
        """Make a clip of ``length_s`` seconds, exactly.

        Raises:
            StreamClosed: ``cancelled()`` became true before the clip or between two steps.
            EngineFailed: the pipeline broke, or gave something that is no sound.
        """
        arguments = {**extra, **self.signature.arguments(steps, guidance, length_s, avoid)}
        done = 0

        def after_step() -> None:
            nonlocal done
            done += 1
            progress(done, int(getattr(self._pipeline, "num_timesteps", 0) or steps or 0))
            if cancelled():
                raise StreamClosed("the stream was closed")

        while not self._turn.acquire(timeout=WAIT_S):
            if cancelled():
                raise StreamClosed("the stream was closed")
        try:
            if cancelled():
                raise StreamClosed("the stream was closed")
            generator = torch.Generator("cpu").manual_seed(seed)
            with torch.inference_mode(), _global_seed(seed):
                made = self._pipeline(prompt=prompt, generator=generator, **arguments, **self._callback(after_step))
            return self._sound(made.audios[0], round(length_s * self.rate))
        except LullwaveError:
            raise
        except Exception as error:
            raise EngineFailed(f"{self.kind} broke: {type(error).__name__}: {error}") from error
        finally:
            self._turn.release()

    def _callback(self, after_step: Callable[[], None]) -> dict[str, Any]:
        """The argument by which this pipeline calls back after each step."""
        if "callback_on_step_end" in self.signature.names:

            def at_end(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
                after_step()
                return tensors

            return {"callback_on_step_end": at_end}
        if "callback" in self.signature.names:
            return {"callback": lambda step, timestep, latents: after_step(), "callback_steps": 1}
        return {}

    def _sound(self, made: Any, frames: int) -> Audio:
        """(C, T) or (T,) of the pipeline as ``frames`` frames: cut, or filled up with silence by at most a tenth."""
        samples = _frames(made)
        if samples.shape[1] != self.channels or len(samples) < 0.9 * frames or not np.isfinite(samples).all():
            raise EngineFailed(
                f"{self.kind} gave {samples.shape[1]} channels of {len(samples)} frames; expected: {self.channels} "
                f"channels of {frames} finite frames"
            )
        missing = max(0, frames - len(samples))
        return Audio(np.pad(samples[:frames], ((0, missing), (0, 0))), self.rate)


@torch.inference_mode()
def plain_clip(
    directory: Path, signature: PipelineSignature, prompt: str, seed: int, length_s: float, steps: int
) -> Samples:
    """(T, C) of a clip by the pipeline as diffusers runs it, in float32 on the CPU."""
    pipeline = _loaded(directory, Placement(torch.float32, "none", False), torch.device("cpu"))
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator("cpu").manual_seed(seed)
    with _global_seed(seed):
        made = pipeline(prompt=prompt, generator=generator, **signature.arguments(steps, None, length_s, ""))
    return _frames(made.audios[0])


def _frames(made: Any) -> Samples:
    """(C, T) or (T,) of a pipeline as (T, C)."""
    array = made.detach().float().cpu().numpy() if isinstance(made, torch.Tensor) else np.asarray(made)
    samples = np.atleast_2d(array.astype(np.float32))
    return samples.T if samples.shape[0] <= samples.shape[1] else samples


class _global_seed:
    """Seeds torch's global generator inside the block and puts it back: some pipelines draw from it too."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __enter__(self) -> None:
        self._state = torch.random.get_rng_state()
        torch.manual_seed(self._seed)

    def __exit__(self, *error: object) -> None:
        torch.random.set_rng_state(self._state)


def _kind(directory: Path) -> str:
    """The name of the pipeline's class, from ``model_index.json``.

    Raises:
        CheckpointError: there is none.
    """
    try:
        return str(json.loads((directory / "model_index.json").read_text())["_class_name"])
    except (OSError, ValueError, LookupError, TypeError):
        raise CheckpointError(f"{directory} is no pipeline of diffusers: it has no model_index.json") from None


def _stored_bytes(directory: Path) -> int:
    """Bytes of a number in the weights: 2 where a configuration tells half precision, else 4."""
    for config in directory.glob("*/config.json"):
        if any(f'"{key}": "{kind}"' in config.read_text() for key in ("torch_dtype", "dtype") for kind in _HALF):
            return 2
    return 4


_HALF = ("float16", "bfloat16")


def _loaded(directory: Path, placement: Placement, device: torch.device) -> Any:
    import diffusers

    frugal = find_spec("accelerate") is not None  # otherwise diffusers warns at every start
    if placement.offload != "none" and not frugal:
        raise MissingExtra("a model that is larger than the GPU", "diffusers", "accelerate")
    try:
        pipeline = diffusers.DiffusionPipeline.from_pretrained(
            str(directory), torch_dtype=placement.dtype, local_files_only=True, low_cpu_mem_usage=frugal
        )
    except ImportError as error:
        raise MissingExtra(f"the pipeline in {directory}", "diffusers", error.name or str(error)) from None
    except Exception as error:  # the libraries raise errors of many types
        raise CheckpointError(f"the pipeline in {directory} cannot be loaded: {error}; pull the model again") from error
    try:
        if placement.offload == "model":
            pipeline.enable_model_cpu_offload(device=device)
        elif placement.offload == "sequential":
            pipeline.enable_sequential_cpu_offload(device=device)
        else:
            pipeline.to(device)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise EngineError(f"the model does not fit into the memory of {device}: {error}") from None
    if type(pipeline).__name__ == "MusicLDMPipeline":
        _return_plain_features(pipeline.text_encoder)
    vae = getattr(pipeline, "vae", None)
    for name in ("enable_tiling", "enable_slicing") if placement.tiled else ():
        if hasattr(vae, name):
            getattr(vae, name)()
    return pipeline


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


def _own_length_s(pipeline: Any, length: str) -> float:
    """The length in seconds that a model was trained on, where its configuration tells it."""
    rate = _format(pipeline)[0]
    if length == "audio_end_in_s":
        return float(pipeline.transformer.config.sample_size * pipeline.vae.hop_length / rate)
    if length == "audio_length_in_s":
        frame_s = float(np.prod(pipeline.vocoder.config.upsample_rates)) / rate
        size = pipeline.unet.config.sample_size
        return float((size if isinstance(size, int) else size[0]) * pipeline.vae_scale_factor * frame_s)
    return DEFAULT_CLIP_S
