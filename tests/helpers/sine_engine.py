"""A tiny engine with known answers, for tests: every sample is a formula of its frame, the seed and the steering."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from lullwave.audio import Audio
from lullwave.engines.base import Engine, Mark, Stream, Understanding
from lullwave.errors import EngineFailed, SnapshotError, StreamClosed
from lullwave.options import option
from lullwave.request import Request

RATE = 44100
PIECE_S = 20.0
BEAT_S = 0.5
LEVEL = 0.1
HIGH_HZ = 1500.0  # what steering adds


@dataclass(frozen=True)
class SineOptions:
    hz: float = option(220.0, "the tone", low=20, high=2000, unit="Hz")


@cache
def _second(hz: float, rate: int) -> np.ndarray:
    """(rate,): a second of a tone of whole hertz, which comes again every second."""
    return np.sin(2 * np.pi * hz * np.arange(rate) / rate)


@cache
def _swell(piece_s: float, rate: int) -> np.ndarray:
    """The level in the course of a piece."""
    frames = round(piece_s * rate)
    return LEVEL * (0.75 + 0.25 * np.cos(2 * np.pi * np.arange(frames) / frames))


@cache
def _piece(hz: float, piece_s: float, rate: int) -> np.ndarray:
    """A whole piece of a tone of whole hertz, without steering; the next one is the same."""
    n = np.arange(round(piece_s * rate))
    return _swell(piece_s, rate) * _second(hz, rate)[n % rate]


def _played(start: int, frames: int, hz: float, rate: int) -> np.ndarray:
    """``frames`` of the pieces of a tone, from ``start`` on."""
    period = round(PIECE_S * rate)
    if hz != round(hz) or period % rate:
        n = np.arange(start, start + frames)
        return _swell(PIECE_S, rate)[n % period] * np.sin(2 * np.pi * hz * n / rate)
    piece, first = _piece(hz, PIECE_S, rate), start % period
    if first + frames <= period:
        return piece[first : first + frames].copy()
    return np.take(piece, np.arange(first, first + frames), mode="wrap")


def tone(start: int, frames: int, hz: float, steers: list[tuple[int, str, float]], rate: int = RATE) -> np.ndarray:
    """(T, 2): a steady tone that swells within each piece; each steer adds one more tone, faded in."""
    wave = _played(start, frames, hz, rate)
    for i, (frame, _, over_s) in enumerate(steers):
        n = np.arange(start, start + frames)
        fade = np.clip((n - frame) / (over_s * rate), 0.0, 1.0)
        wave += 0.5 * LEVEL * fade * _second(HIGH_HZ * (i + 1), rate)[n % rate]
    return np.repeat(wave.astype(np.float32)[:, None], 2, axis=1)


class SineEngine(Engine):
    name: ClassVar[str] = "sines"
    summary: ClassVar[str] = "steady tones"
    options: ClassVar[type] = SineOptions
    rate = RATE
    channels = 2
    rewindable_s = 3600.0
    fails_at: ClassVar[int | None] = None  # frame at which every stream breaks

    def open(self, request: Request, **audio_prompts: Audio) -> SineStream:
        from lullwave.options import build

        return SineStream(self, request, build(SineOptions, request.options, "options.").hz, 0, [])

    def restore(self, snapshot: bytes) -> SineStream:
        try:
            state = json.loads(snapshot)
            request = Request(**state["request"])
        except (ValueError, KeyError) as error:
            raise SnapshotError(f"no snapshot of sines: {error}") from error
        return SineStream(self, request, state["hz"], state["position"], [tuple(s) for s in state["steers"]])

    def understand(self, prompt: str) -> Understanding:
        if prompt == "tonne":
            return Understanding("a tone", ignored=("tonne",), recognised=False, suggestions={"tonne": ("tone",)})
        return Understanding(f"a tone for {prompt!r}", {"hz": HIGH_HZ}, ("gibberish",) if "gibberish" in prompt else ())


class SineStream(Stream):
    rate = RATE
    channels = 2

    def __init__(self, engine: SineEngine, request: Request, hz: float, position: int, steers: list) -> None:
        self.request = request
        self.rate = engine.rate
        self._engine, self._hz, self._position, self._steers = engine, hz, position, list(steers)
        self._closed = False

    @property
    def position(self) -> int:
        return self._position

    def read(self, frames: int) -> Audio:
        if self._closed:
            raise StreamClosed("closed")
        if self.total_frames is not None:
            frames = min(frames, self.total_frames - self._position)
        fails = self._engine.fails_at
        if fails is not None and self._position + frames > fails:
            raise EngineFailed("the sines broke, as they were told to")
        made = tone(self._position, frames, self._hz, self._steers, self.rate)
        self._position += frames
        return Audio(made, self.rate)

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        self._steers.append((self._position, prompt, over_s))
        return self._engine.understand(prompt)

    def snapshot(self, at_frame: int | None = None) -> bytes:
        at = self._position if at_frame is None else at_frame
        request = {"prompt": self.request.prompt, "seed": self.request.seed, "duration_s": self.request.duration_s}
        steers = [s for s in self._steers if s[0] <= at]
        return json.dumps({"request": request, "hz": self._hz, "position": at, "steers": steers}).encode()

    def fork(self, at_frame: int | None = None) -> Stream:
        return self._engine.restore(self.snapshot(at_frame))

    def marks(self, start: int, stop: int) -> list[Mark]:
        piece = round(PIECE_S * self.rate)
        found = [
            Mark(
                n * piece,
                "piece",
                {"title": f"Tone {n}", "tempo_bpm": 120.0, "key": "A minor", "frames": piece, "prompt": self._prompt()},
            )
            for n in range(-(-start // piece), -(-stop // piece))
        ]
        found += [Mark(f, "steer", {"prompt": p}) for f, p, _ in self._steers if start <= f < stop]
        return sorted(found, key=lambda mark: mark.frame)

    def beats(self, start: int, stop: int) -> list[int]:
        beat = round(BEAT_S * self.rate)
        return [n * beat for n in range(-(-start // beat), -(-stop // beat))]

    def close(self) -> None:
        self._closed = True

    def _prompt(self) -> str:
        return self._steers[-1][1] if self._steers else self.request.prompt


class BrokenEngine(SineEngine):
    """Breaks after ten seconds."""

    name: ClassVar[str] = "broken"
    fails_at: ClassVar[int | None] = 10 * RATE


class SlowRateEngine(SineEngine):
    """The same tones at 32 kHz."""

    name: ClassVar[str] = "slow-rate"
    rate = 32000
