"""The engine ``stable-audio``: loads a checkpoint and opens streams, whose windows are made in batches."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from ...audio import Audio
from ...checkpoints import locate
from ...device import choose_device, choose_dtype, run_on_new_thread
from ...errors import EngineError, EngineFailed, InvalidInput, StreamClosed, Unsupported
from ...options import build
from ...prompt import Prompt
from ...request import Request
from ..base import Engine, Understanding
from ..batching import BatchQueue
from ..comparison import Comparison
from ..networks import check_networks_fit
from ..steers import Steer
from . import openmp as openmp  # before torch
from .model import quantization
from .model.checkpoint import load, memory_of
from .model.native_layers import choose_layers
from .noise import latent_noise
from .options import StableAudioFacts, StableAudioLoadOptions, StableAudioOptions
from .pipeline import Config, Decode, Encode, Paint, Pipeline, Work, batch_key, fitted, sound_of, urgency_of
from .rework import rework
from .snapshot import State, unpack
from .stream import REWINDABLE_S, StableAudioStream, StudioJob
from .track import Track
from .windows import MIDDLING_SPEED, TAIL_S, Lengths, first_steps_for, lengths_for

if TYPE_CHECKING:
    import torch

MAX_WAITING = 1000  # pieces of work in the queue: a stream has one at a time
POLL_S = 0.05  # how often a stream that waits for its window looks whether it was closed
MEASURED_STEPS, MEASURED_S = 2, 6.0  # of denoising and of sound, when the speed is measured
SHORTEST_PROMPT_S = 1.0  # seconds of audio to continue, at least


class StableAudioEngine(StableAudioFacts, Engine):
    """A Stable Audio 3 checkpoint in the format of diffusers: small, medium, and their base versions."""

    rewindable_s = REWINDABLE_S

    def __init__(
        self,
        checkpoint: str = StableAudioLoadOptions.checkpoint,
        device: str = "auto",
        dtype: str = "auto",
        threads: int | None = None,
        max_batch: int | None = None,
        offline: bool = False,
        backend: str = "auto",
    ) -> None:
        path = locate(checkpoint, offline)
        torch_device = choose_device(device)
        torch_dtype = choose_dtype(dtype, torch_device)
        if dtype == "int8" and not quantization.available():
            raise InvalidInput("dtype", dtype, "bfloat16 or float32 on this machine (int8 is for x86 CPUs)")
        int8 = dtype == "int8"
        native = choose_layers(backend, torch_device, torch_dtype, int8)
        try:
            check_networks_fit(checkpoint, memory_of(path, torch_dtype), torch_device)
            networks = run_on_new_thread(lambda: load(path, torch_device, torch_dtype, int8, native))
        except MemoryError as error:
            raise EngineError(f"{checkpoint} does not fit into the memory of {torch_device}: {error}") from None
        if backend == "native" and not networks.denoiser.native:
            raise EngineError(f"backend native: its kernels do not know the sizes of {checkpoint}'s layers")
        sound = networks.autoencoder
        self.rate, self.channels, self.hop = sound.rate, sound.channels, sound.hop
        self.size, self.lookahead = sound.size, sound.context
        precision = "int8" if int8 else str(torch_dtype).removeprefix("torch.")
        precision += " native" if networks.denoiser.native else ""
        self.model = f"{networks.fingerprint} {precision} {torch_device.type}"
        max_batch = max_batch or (1 if torch_device.type == "cpu" else 8)
        self.device, self.reads_at_once = str(torch_device), max(2, max_batch)
        self._pipeline, self._directory = Pipeline(networks, threads), path
        self._queue: BatchQueue[Work, Config, torch.Tensor] = BatchQueue(
            self._pipeline, max_batch, MAX_WAITING, "window"
        )
        self._latent_s = self._measure()

    def open(self, request: Request, **audio_prompts: Audio) -> StableAudioStream:
        """Begin a stream.

        ``continue_from``: it continues the end of this audio. ``source``: a clip that is this audio changed, or with a
        passage made anew; it is made before this returns.
        """
        options: StableAudioOptions = build(StableAudioOptions, request.options, where="options.")
        config = self.config(options)
        speed = self._speed(config)
        window_s, context_s = lengths_for(speed)
        lengths = Lengths.of(
            options.window_s or window_s, options.context_s or context_s, self.rate / self.hop, self.lookahead
        )
        track = Track([])
        before, source = audio_prompts.get("continue_from"), audio_prompts.get("source")
        if source is not None:
            if before is not None:
                raise Unsupported("continue_from", before, "a clip is made from one audio")
            track.add(rework(self, source, request, options, lengths.whole), 1)
        elif options.repaint is not None:
            raise Unsupported("options.repaint", options.repaint, "it needs the audio that the clip is made from")
        elif before is not None:
            track = self._heard(before, lengths)
        first_steps = options.first_steps or first_steps_for(config.steps, speed)
        steers = [Steer(0, request.prompt, 0.0)]
        state = State(self.model, request, 0, lengths, first_steps, steers, track.windows, False)
        return self._streaming(state)

    def restore(self, snapshot: bytes) -> StableAudioStream:
        return self._streaming(unpack(snapshot, self.model, self.size, self.hop))

    def understand(self, prompt: str) -> Understanding:
        parsed = Prompt.parse(prompt)
        summary = f"the text encoder gets: {parsed.text}" if parsed.text else "the prompt is empty"
        if parsed.avoid_text:
            summary += f"; avoids, where guidance is above 1: {parsed.avoid_text}"
        shares = {part.text: round(part.share, 3) for part in parsed.parts}
        tokens = self._pipeline.networks.text.tokens(parsed.text)
        return Understanding(summary, {"parts": shares, "avoid": parsed.avoid_text, "tokens": tokens})

    def work(self, work: Work, config: Config, closed: threading.Event) -> torch.Tensor:
        """The result of a piece of work, batched with that of other streams; see ``Pipeline.make``.

        Raises:
            StreamClosed: ``closed`` was set, or the engine closed.
        """
        return self.result(self.begin(work, config), closed)

    def begin(self, work: Work, config: Config) -> StudioJob:
        """Queue a piece of work, batched with that of other streams.

        A first window interrupts other windows, and decoding interrupts every window.

        Raises:
            StreamClosed: the engine closed.
        """
        return self._queue.add(work, config, batch_key(work, config), urgency=urgency_of(work))

    def result(self, job: StudioJob, closed: threading.Event) -> torch.Tensor:
        """The result of a piece of work; see ``Pipeline.make``.

        Raises:
            StreamClosed: ``closed`` was set, or the engine closed.
            EngineFailed: the result has values that are no numbers.
        """
        while not closed.is_set():
            try:
                made = job.result.result(timeout=POLL_S)
                if not made.isfinite().all():
                    raise EngineFailed("the model made values that are no numbers")
                return made
            except TimeoutError:
                continue
            except CancelledError:
                break
        job.cancel()
        raise StreamClosed("the stream was closed")

    def config(self, options: StableAudioOptions, strength: float = 1.0) -> Config:
        """How to paint, with the checkpoint's defaults for what the options leave open."""
        return Config(options.steps or self._pipeline.steps, options.guidance, strength)

    def compare_with_reference(self) -> Comparison:
        from .reference import compare

        return compare(self._directory, lambda work, config: self.work(work, config, threading.Event()))

    def close(self) -> None:
        self._queue.close()

    def _streaming(self, state: State) -> StableAudioStream:
        options: StableAudioOptions = build(StableAudioOptions, state.request.options, where="options.")
        return StableAudioStream(self, self.config(options), state, self.restore)

    def _heard(self, audio: Audio, lengths: Lengths) -> Track:
        """The latents of the end of ``audio``, before the beginning of a stream."""
        audio = fitted(audio, self.rate, self.channels)
        count = min(lengths.context + self.lookahead, audio.frames // self.hop)
        if audio.duration_s < SHORTEST_PROMPT_S or not count:
            raise InvalidInput(
                "continue_from", f"{audio.duration_s:.2f} s", f"at least {SHORTEST_PROMPT_S:g} s of audio"
            )
        end = sound_of(audio[audio.frames - count * self.hop :])
        latents = self.work(Encode(end), Config(), threading.Event()).numpy()[:, -lengths.context :]
        return Track.before_the_beginning(latents)

    def _measure(self) -> tuple[float, float]:
        """Seconds that one step over a token takes, and the decoding of a latent; measured now."""
        count = round(MEASURED_S * self.rate / self.hop)
        noise = latent_noise(0, 0, 0, count, self.size)
        paint, decode = Paint({"": 1.0}, count, lambda step: noise, MEASURED_S), Decode(noise)

        def taken_s(work: Work, steps: int) -> float:
            began = time.perf_counter()
            self.work(work, Config(steps=steps), threading.Event())
            return time.perf_counter() - began

        taken_s(paint, 1), taken_s(decode, 1)  # sets up memory and kernels, and reads the text
        once_s, more_s = taken_s(paint, 1), taken_s(paint, 1 + MEASURED_STEPS)
        tokens = MEASURED_STEPS * (count + self._pipeline.networks.denoiser.memory_tokens)
        return max(0.0, more_s - once_s) / tokens, taken_s(decode, 1) / count

    def _speed(self, config: Config) -> float:
        """About how many times faster than real time windows of a middling length are made."""
        window_s, context_s = lengths_for(MIDDLING_SPEED)
        step_s, decode_s = self._latent_s
        latents_a_second = self.rate / self.hop
        painted = (window_s + context_s + TAIL_S) * latents_a_second + self._pipeline.networks.denoiser.memory_tokens
        steps = config.steps * (2 if config.guidance > 1.0 else 1)
        return window_s / (steps * step_s * painted + decode_s * window_s * latents_a_second)
