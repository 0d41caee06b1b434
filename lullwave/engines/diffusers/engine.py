"""The engine ``diffusers``: plays clips of a text-to-audio pipeline, each crossfaded into the next.

Clip number n of a request is a function of the request, its prompt and n. So a stream can begin at any frame: steering
is a crossfade to the clip of the other prompt at the same place, and snapshots hold no sound.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ... import checkpoints
from ...audio import Audio, crossfade
from ...device import choose_device
from ...prompt import Prompt
from ...request import Request
from ..base import UNLIMITED_S, Engine, Understanding
from ..comparison import Comparison, compared
from .options import DiffusersFacts, DiffusersLoadOptions, DiffusersOptions
from .pipeline import Clip, ClipPipeline, derived_seed
from .stream import ClipStream

KEPT_CLIPS = 6  # clips in memory, for steering, forks and listeners of one request
COMPARED_S, COMPARED_STEPS = 10.0, 3  # length and steps of the clip that is compared with the library's own
END_FADE_S = 0.5  # at the end of a finite stream
NO_PROMPT = "instrumental music"  # pipelines want words


class DiffusersEngine(DiffusersFacts, Engine):
    """One pipeline and the clips that it made last. Thread-safe."""

    rewindable_s = UNLIMITED_S

    def __init__(self, **options: Any) -> None:
        """Load a pipeline.

        Raises:
            CheckpointError, InvalidInput, MissingExtra, EngineError (not enough memory, or no audio from text)
        """
        chosen = DiffusersLoadOptions(**options)
        device = choose_device(chosen.device)
        directory = checkpoints.locate(chosen.model, offline=chosen.offline)
        self.pipeline = ClipPipeline(directory, device, chosen.dtype, chosen.offload)
        self.device = str(device)
        self.rate, self.channels = self.pipeline.rate, self.pipeline.channels
        self.fingerprint = f"{_fingerprint(directory)} {self.pipeline.placement.dtype} {device.type}"
        self.reads_at_once = 1
        self._clips: OrderedDict[Clip, Audio] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, request: Request, **audio_prompts: Audio) -> ClipStream:
        chosen = request.chosen(DiffusersOptions)
        self.pipeline.signature.parse_extra(chosen.extra)
        return ClipStream(self, request)

    def restore(self, snapshot: bytes) -> ClipStream:
        return ClipStream.restore(self, snapshot)

    def understand(self, prompt: str) -> Understanding:
        parsed = Prompt.parse(prompt)
        avoids = "negative_prompt" in self.pipeline.signature.names
        text = f"the text encoder gets: {parsed.text or NO_PROMPT}"
        if parsed.avoid_text and avoids:
            text += f"; avoids: {parsed.avoid_text}"
        ignored = () if avoids or not parsed.avoid_text else (parsed.avoid_text,)
        return Understanding(text, {"parts": [part.text for part in parsed.parts]}, ignored)

    def sound(
        self, request: Request, start: int, progress: Callable[[int, int], None], cancelled: Callable[[], bool]
    ) -> Audio:
        """The sound from frame ``start`` to where a crossfade begins or ends, at the latest."""
        chosen = request.chosen(DiffusersOptions)
        length = round(self._length_s(request, chosen) * self.rate)
        overlap = min(round(chosen.crossfade_s * self.rate), length // 3)
        spacing = length - overlap
        number, offset = divmod(start, spacing)

        def clip(n: int) -> Audio:
            return self._clip(request, chosen, n, length, progress, cancelled)

        if number and offset < overlap:
            mixed = crossfade(clip(number - 1)[spacing:], clip(number)[:overlap], overlap / self.rate)
            block = mixed[offset:]
        else:
            block = clip(number)[offset:spacing]
        return self._faded(block, start, request)

    def compare_with_reference(self) -> Comparison:
        length_s = min(COMPARED_S, max(1.0, self.pipeline.default_clip_s))
        clip = Clip(NO_PROMPT, "", 1, length_s, COMPARED_STEPS, crossfade_s=0.0)
        made = self.pipeline.make(clip, lambda done, total: None, lambda: False).samples
        expected = self.pipeline.reference(clip)[: len(made)]
        return compared(f"clips of {COMPARED_STEPS} steps", expected, made[: len(expected)])

    def close(self) -> None:
        with self._lock:
            self._clips.clear()

    def _length_s(self, request: Request, chosen: DiffusersOptions) -> float:
        """Seconds of one clip: a request that is not longer than the model's own length is one clip."""
        own = chosen.clip_s or max(1.0, self.pipeline.default_clip_s)
        wanted = request.duration_s
        return min(own, wanted + chosen.crossfade_s) if wanted is not None else own

    def _clip(
        self,
        request: Request,
        chosen: DiffusersOptions,
        number: int,
        length: int,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> Audio:
        prompt = Prompt.parse(request.prompt)
        clip = Clip(
            prompt.text or NO_PROMPT,
            prompt.avoid_text,
            derived_seed(request.seed, number),
            length / self.rate,
            chosen.steps,
            chosen.guidance,
            chosen.extra,
            chosen.crossfade_s,
        )
        with self._lock:
            if (kept := self._clips.get(clip)) is not None:
                self._clips.move_to_end(clip)
                return kept
        made = self.pipeline.make(clip, progress, cancelled)
        with self._lock:
            self._clips[clip] = made
            while len(self._clips) > KEPT_CLIPS:
                self._clips.popitem(last=False)
        return made

    def _faded(self, block: Audio, start: int, request: Request) -> Audio:
        """Fade out the end of a finite request."""
        if request.duration_s is None:
            return block
        left = round(request.duration_s * self.rate) - np.arange(start, start + block.frames)
        gain = np.clip(left / (END_FADE_S * self.rate), 0.0, 1.0).astype(np.float32)
        return Audio(block.samples * gain[:, None], block.rate)


def _fingerprint(directory: Path) -> str:
    """Identify the weights by a hash of each file's name, size and first MiB."""
    digest = hashlib.sha256()
    for file in sorted([*directory.rglob("*.safetensors"), *directory.rglob("*.bin"), *directory.rglob("*.json")]):
        digest.update(f"{file.relative_to(directory)} {file.stat().st_size}".encode())
        with file.open("rb") as opened:
            digest.update(opened.read(1 << 20))
    return digest.hexdigest()[:16]
