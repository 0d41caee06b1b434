"""A dawn chorus: a complete engine that defines only its sound at any frame."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lullwave import Audio, Engine, Request, Understanding, option

RATE, SPAN = 32000, 16000  # Hz; frames of one block


@dataclass(frozen=True)
class Chorus:
    birds: int = option(3, "how many birds sing", low=1, high=12)


def sing(seed: int, span: int, birds: int, calm: bool) -> npt.NDArray[np.float64]:
    """(SPAN, 2): half a second of the chorus, a function of the seed and of the block's number."""
    t, out = np.arange(SPAN) / RATE, np.zeros((SPAN, 2))
    for bird in range(birds):
        chance = np.random.default_rng((seed, span, bird))  # keyed: blocks can be made in any order
        if chance.random() < (0.25 if calm else 0.6):
            x = np.clip((t - chance.uniform(0, 0.2)) / chance.uniform(0.08, 0.25), 0, 1)
            trill = 120 * np.sin(2 * np.pi * chance.uniform(8, 40) * t)
            pitch = chance.uniform(1800, 4200) + chance.uniform(-900, 1500) * x + trill
            chirp = np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.sin(np.pi * x) ** 2
            place = chance.uniform(0.15, 0.85)
            out += 0.3 * chirp[:, None] * np.sqrt([place, 1 - place])
    return np.tanh(out)


class Birdsong(Engine):
    name, summary, options = "birdsong", "A dawn chorus, as an example of an engine", Chorus
    rate, channels = RATE, 2

    def read(self, request: Request, start: int) -> Audio:
        span, skip = divmod(start, SPAN)
        birds = request.chosen(Chorus).birds
        return Audio.of(sing(request.seed, span, birds, "calm" in request.prompt)[skip:], RATE)

    def understand(self, prompt: str) -> Understanding:
        return Understanding("calm birds" if "calm" in prompt else "lively birds")
