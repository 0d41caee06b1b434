"""A pipeline of diffusers with a ``modular_model_index.json``: loads it and makes songs with it, telling each step.

Of text-to-audio pipelines, only MiniMax Music 3 is of this kind: a language model writes frames of a song until the
song ends, a transformer turns windows of them into latents, and a vocoder decodes these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from ...audio import Samples
from ...errors import CheckpointError, EngineError
from .kinds import DEFAULT_CLIP_S, Progress, frames
from .loading import has_accelerate, moving, reading
from .placement import OffloadNeeds, Placement
from .signature import GUIDANCE, STEPS, Parameter, PipelineSignature

OUTPUT = "audios"  # (1, C, T)
CHANNELS = 2  # of the vocoder
LYRICS = {"lyrics": "[instrumental]"}  # for a pipeline that wants lyrics, where none are given
WINDOW_HOP = 100  # frames of the language model from one window of the transformer to the next; a window has two
NOTHING = "zero audio frames"  # in the error of a language model that ended the song before its first frame


class ModularPipeline:
    """A loaded ``ModularPipeline``. One thread at a time."""

    needs: ClassVar[OffloadNeeds] = OffloadNeeds(
        frozenset({"language_model", "rvq_depth_decoder"}), frozenset({"language_model"})
    )
    ends_early: ClassVar[bool] = True
    samples_tokens: ClassVar[bool] = True

    def __init__(self, directory: Path, placement: Placement, device: torch.device) -> None:
        """Load a pipeline.

        Raises:
            CheckpointError, MissingExtra, EngineError (too little memory, or no audio from text)
        """
        self.pipeline = _loaded(directory, placement, device)
        kind = type(self.pipeline).__name__
        inputs = {one.name: one for one in self.pipeline.blocks.inputs if one.name}
        parameters = {name: Parameter(one.type_hint, LYRICS.get(name, one.default)) for name, one in inputs.items()}
        self._guider = getattr(self.pipeline, "guider", None)
        if hasattr(self._guider, GUIDANCE):
            parameters[GUIDANCE] = Parameter(float)
        self.signature = PipelineSignature(kind, parameters)
        self._given = {name: text for name, text in LYRICS.items() if name in inputs}
        self._steps = int(inputs[STEPS].default) if STEPS in inputs else 0
        self.rate, self.channels = int(getattr(self.pipeline, "sampling_rate", 0)), CHANNELS
        if not self.rate:
            raise EngineError(f"{kind} does not tell its sample rate")
        self.own_length_s = float(inputs[self.signature.length].default or DEFAULT_CLIP_S)

    def plain(self, prompt: str, generator: torch.Generator, arguments: Mapping[str, Any]) -> Samples:
        given = {**self._given, **arguments}
        scale = given.pop(GUIDANCE, None)
        if self._guider is not None:
            guider = self._guider if scale is None else self._guider.new(guidance_scale=scale)
            self.pipeline.register_components(guider=guider)
        try:
            return frames(self.pipeline(prompt=prompt, generator=generator, output=OUTPUT, **given)[0])
        except ValueError as error:
            if NOTHING in str(error):
                return np.zeros((0, self.channels), np.float32)
            raise

    def run(self, prompt: str, generator: torch.Generator, arguments: Mapping[str, Any], progress: Progress) -> Samples:
        steps = int(arguments.get(STEPS, self._steps))
        most = int(arguments[self.signature.length] * getattr(self.pipeline, "frame_rate", 0.0))
        try:
            with self._told(_Steps(most, steps, self._passes, progress)):
                return self.plain(prompt, generator, arguments)
        except _Stopped as stopped:
            raise stopped.reason from None

    @contextmanager
    def _told(self, steps: _Steps) -> Iterator[None]:
        """Count the passes of the networks: these pipelines have no callbacks, and share their progress bars."""
        hooks = []
        for name, count in (("language_model", steps.frame), ("transformer", steps.transformed)):
            if (network := getattr(self.pipeline, name, None)) is not None:
                # the pipeline calls the language model without its head
                hooks.append(getattr(network, "base_model", network).register_forward_hook(count))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _passes(self) -> int:
        """How often the transformer runs in a step: twice with guidance."""
        return int(getattr(getattr(self.pipeline, "guider", None), "num_conditions", 1))


class _Stopped(BaseException):
    """A step that ends the run. Not an ``Exception``: diffusers logs each of them with its traceback."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason


class _Steps:
    """Steps of one song: one for each frame and one for each step of each window."""

    def __init__(self, most_frames: int, steps: int, passes: Callable[[], int], progress: Progress) -> None:
        self._most, self._steps, self._passes, self._progress = most_frames, steps, passes, progress
        self._frames = -1  # the first pass reads the prompt
        self._passed = 0

    def frame(self, *_: Any) -> None:
        self._frames += 1
        if self._frames > 0:
            self._tell(self._frames, max(self._most, self._frames))

    def transformed(self, *_: Any) -> None:
        self._passed += 1
        steps, rest = divmod(self._passed, self._passes())
        if not rest:
            frames_made = max(0, self._frames)
            self._tell(frames_made + steps, frames_made)

    def _tell(self, done: int, frames_in_all: int) -> None:
        windows = max(1, math.ceil(frames_in_all / WINDOW_HOP - 1))
        try:
            self._progress(done, frames_in_all + windows * self._steps)
        except Exception as error:
            raise _Stopped(error) from error


def _loaded(directory: Path, placement: Placement, device: torch.device) -> Any:
    import diffusers

    frugal = has_accelerate(placement)
    manager = diffusers.ComponentsManager() if placement.offload != "none" else None
    with reading(directory):
        pipeline = diffusers.ModularPipeline.from_pretrained(
            str(directory), trust_remote_code=False, components_manager=manager, local_files_only=True
        )
        own = [name for name in pipeline.pretrained_component_names if _is_of_diffusers(pipeline, name)]
        pipeline.load_components(
            pretrained_model_name_or_path=str(directory),  # indexes can name other places
            dtype=placement.dtype,
            local_files_only=True,
            low_cpu_mem_usage=dict.fromkeys(own, frugal),
        )
        if missing := [name for name in pipeline.pretrained_component_names if getattr(pipeline, name) is None]:
            raise CheckpointError(
                f"the pipeline in {directory} cannot be loaded: damaged or missing are {', '.join(missing)}; "
                "pull the model again"
            )
    for block in _blocks(pipeline._blocks):  # its public property gives copies
        if hasattr(block, "set_progress_bar_config"):
            block.set_progress_bar_config(disable=True)
    with moving(device):
        put(pipeline, manager, placement, device)
    return pipeline


def put(pipeline: Any, manager: Any, placement: Placement, device: torch.device) -> None:
    """Move a pipeline to ``device``, or let its manager move networks there, and layers of the language model."""
    if manager is None:
        pipeline.to(device)
        return
    manager.enable_auto_cpu_offload(device=device)
    if placement.offload == "sequential":
        from diffusers.hooks import apply_group_offloading

        apply_group_offloading(
            pipeline.language_model, onload_device=device, offload_type="leaf_level", use_stream=device.type == "cuda"
        )


def _is_of_diffusers(pipeline: Any, name: str) -> bool:
    """Tell whether a component is a network of diffusers; others do not know all of its arguments."""
    from diffusers import ModelMixin

    kind = pipeline.get_component_spec(name).type_hint
    return isinstance(kind, type) and issubclass(kind, ModelMixin)


def _blocks(block: Any) -> Iterator[Any]:
    for inner in block.sub_blocks.values():
        yield inner
        yield from _blocks(inner)
