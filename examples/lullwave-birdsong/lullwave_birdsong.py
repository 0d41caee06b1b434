"""A dawn chorus: a small engine that can do everything that an engine can."""

import json
from dataclasses import dataclass

import numpy as np

from lullwave import Audio, Engine, Request, Stream
from lullwave.engines.base import Understanding
from lullwave.errors import SnapshotError, StreamClosed
from lullwave.options import build, option

RATE, SPAN = 32000, 16000  # Hz; frames that are sung at once


@dataclass(frozen=True)
class Chorus:
    birds: int = option(3, "how many birds sing", low=1, high=12)


def sing(seed: int, span: int, birds: int, calm: bool) -> np.ndarray:
    """(SPAN, 2): half a second of the chorus, from its number alone."""
    t, out = np.arange(SPAN) / RATE, np.zeros((SPAN, 2))
    for bird in range(birds):
        chance = np.random.default_rng((seed, span, bird))  # keyed: any span can be sung first
        if chance.random() < (0.25 if calm else 0.6):
            x = np.clip((t - chance.uniform(0, 0.2)) / chance.uniform(0.08, 0.25), 0, 1)
            trill = 120 * np.sin(2 * np.pi * chance.uniform(8, 40) * t)
            pitch = chance.uniform(1800, 4200) + chance.uniform(-900, 1500) * x + trill
            chirp = np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.sin(np.pi * x) ** 2
            out += 0.3 * chirp[:, None] * np.sqrt([place := chance.uniform(0.15, 0.85), 1 - place])
    return np.tanh(out)


class Birds(Stream):
    rate, channels, position, _closed = RATE, 2, 0, False

    def __init__(self, request: Request, at: int = 0, prompts: list | None = None) -> None:
        self.request, self.position = request, at
        self._birds = build(Chorus, request.options, where="options.").birds
        self._prompts = prompts or [(0, request.prompt)]  # (from which span on, words)

    def read(self, frames: int) -> Audio:
        if self._closed:
            raise StreamClosed("the birds have flown")
        at, stop = self.position, min(self.position + frames, self.total_frames or self.position + frames)
        sung = [np.zeros((0, 2))]
        for span in range(at // SPAN, -(-stop // SPAN)):
            words = [words for begin, words in self._prompts if begin <= span][-1]
            sung.append(sing(self.request.seed, span, self._birds, "calm" in words))
        self.position, start = max(at, stop), at % SPAN
        return Audio.of(np.concatenate(sung)[start : start + max(0, stop - at)], RATE)

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        self._prompts.append((self.position // SPAN + 1, prompt))
        return Understanding("calm birds" if "calm" in prompt else "lively birds")

    def snapshot(self, at_frame: int | None = None) -> bytes:
        wish = [self.request.prompt, self.request.seed, self.request.duration_s, dict(self.request.options)]
        return json.dumps(["birdsong 1", wish, self.position if at_frame is None else at_frame, self._prompts]).encode()

    def fork(self, at_frame: int | None = None) -> Stream:
        return Birdsong().restore(self.snapshot(at_frame))

    def close(self) -> None:
        self._closed = True


class Birdsong(Engine):
    name, summary, options = "birdsong", "A dawn chorus, as an example of an engine", Chorus
    rate, channels, rewindable_s = RATE, 2, 1e9
    stream = staticmethod(Birds)

    def restore(self, snapshot: bytes) -> Stream:
        if not snapshot.startswith(b'["birdsong 1"'):
            raise SnapshotError("not a snapshot of birdsong 1")
        _, wish, at, prompts = json.loads(snapshot)
        return Birds(Request(*wish), at, prompts)
