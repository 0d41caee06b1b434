"""The most that the variety of ``bench.embedded.sound`` can read: ``python -m bench.embedded.variety``.

Its bar is 0.6 of the number of clips. To know whether any thirty sounds reach that, sounds as different as can be are
read by the same tagger, and the thirty of them that differ most are chosen: single instruments and extreme prompts of
the engine first, then signals that no engine would make (noise, sines, pulses, silence) beside them. The choice is made
greedily and bettered by exchanges until none helps, so it is a lower limit of the best, and near it.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bench.embedded import sound_renders as renders
from bench.embedded.ears import vendi_score
from bench.embedded.taggers import Tagger

Wave = npt.NDArray[np.float64]

COUNT = 30  # clips of the bench
_RATE, _SECONDS = 44100, 20
PROMPTS = (
    "techno", "only rain", "only birds", "only fire", "cathedral choir pad, very slow, without drums",
    "dusty hip hop drums only, no melody", "string quartet at dusk, no percussion", "sitar and dub drums, incense",
    "drums", "harpsichord", "new age", "solo flute, no drums",
)  # fmt: skip


def signals() -> dict[str, Wave]:
    """Twenty signals, each (T,): noises, sines, pulses, chords of saws, a voice-like buzz, silence."""
    from scipy.signal import butter, sosfilt

    frames = _SECONDS * _RATE
    t = np.arange(frames) / _RATE
    draw = np.random.default_rng(0)
    noise = 0.1 * draw.standard_normal(frames)
    rough = draw.standard_normal(frames) ** 5
    buzz = 2 * (np.cumsum(120 + 25 * np.sin(4.4 * t)) / _RATE % 1) - 1
    vowels = sum(sosfilt(butter(2, (0.9 * hz, 1.1 * hz), "band", fs=_RATE, output="sos"), buzz) for hz in (600, 1100))
    syllables = np.clip(np.sin(20.7 * t) + 0.4, 0, 1) * (np.sin(2.5 * t) > -0.6)
    glide = np.cumsum(200 + 100 * np.sin(0.5 * t)) / _RATE

    def saw(turns: Wave) -> Wave:
        return 2 * (turns % 1) - 1

    def sine(hz: float) -> Wave:
        return np.asarray(np.sin(2 * np.pi * hz * t))

    return {
        "white noise": noise,
        "noise below 200 Hz": 8 * sosfilt(butter(4, 200, fs=_RATE, output="sos"), noise),
        "noise above 5 kHz": sosfilt(butter(6, 5000, "high", fs=_RATE, output="sos"), noise),
        "noise, gated": noise * (8 * t % 1 < 0.3),
        "noise, swelling": noise * np.sin(0.2 * np.pi * t) ** 2,
        "noise of impulses": 0.9 * rough / np.abs(rough).max(),
        "sine 55 Hz": 0.4 * sine(55),
        "sine 440 Hz": 0.2 * sine(440),
        "sine 3 kHz": 0.1 * sine(3000),
        "square 1760 Hz": 0.1 * np.sign(sine(1760)),
        "sweep": 0.2 * np.sin(2 * np.pi * 1000 / np.log(200) * np.exp(t / _SECONDS * np.log(200))),
        "four pulses a second": np.where(np.arange(frames) % 11025 < 20, 0.7, 0.0),
        "forty pulses a second": np.where(np.arange(frames) % 1102 < 20, 0.5, 0.0),
        "saws": 0.1 * sum(saw(hz * t) for hz in (110.0, 138.6, 164.8, 220.3)),
        "gliding saws": 0.1 * sum(saw(k * glide) / k for k in (1.0, 1.5, 2.0)),
        "distorted sines": 0.2 * np.tanh(8 * sum(sine(hz) for hz in (82, 123, 164))),
        "struck metal": 0.2 * np.exp(-3 * (t % 1)) * np.sin(4398 * t + 6 * np.exp(-4 * (t % 1)) * sine(990)),
        "kick": 0.8 * np.sin(2 * np.pi * 50 * (t % 0.5)) * np.exp(-12 * (t % 0.5)),
        "a buzz that speaks": 0.5 * syllables * vowels,
        "nearly silence": 0.001 * noise,
    }


def most_varied(vectors: npt.NDArray[np.float64], count: int) -> list[int]:
    """Indices of ``count`` of the vectors (N, D), N >= count, whose Vendi score no exchange of one raises."""
    best: list[int] = []
    for first in range(0, len(vectors), max(1, len(vectors) // 8)):
        chosen = [first]
        while len(chosen) < count:
            others = [n for n in range(len(vectors)) if n not in chosen]
            chosen.append(max(others, key=lambda n: vendi_score(vectors[[*chosen, n]])))
        if not best or vendi_score(vectors[chosen]) > vendi_score(vectors[best]):
            best = chosen
    bettered = True
    while bettered:
        bettered = False
        for place in range(count):
            for n in set(range(len(vectors))) - set(best):
                other = [*best[:place], n, *best[place + 1 :]]
                if vendi_score(vectors[other]) > vendi_score(vectors[best]) + 1e-9:
                    best, bettered = other, True
    return best


@lru_cache(maxsize=1)
def _tagger() -> Tagger:
    import torch

    torch.set_num_threads(1)
    return Tagger("mtt")


def _hidden(samples: npt.NDArray[np.float32], rate: int) -> list[float]:
    return [float(x) for x in _tagger().read(samples, rate).hidden]


def _instrument(name: str) -> list[float]:
    return _hidden(renders.solos(name)[0][0][: _SECONDS * _RATE].mean(axis=1), _RATE)


def _prompt(text: str) -> list[float]:
    samples, rate = renders.clip(text, 1, 40.0)
    return _hidden(samples[10 * rate : (10 + _SECONDS) * rate].mean(axis=1), rate)


def _signal(name: str) -> list[float]:
    return _hidden(np.asarray(signals()[name], np.float32), _RATE)


def main() -> None:
    sets: Mapping[str, tuple[Callable[[str], list[float]], list[str]]] = {
        "instruments": (_instrument, list(renders.instruments())),
        "prompts": (_prompt, list(PROMPTS)),
        "signals": (_signal, list(signals())),
    }
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        read = {what: np.array(list(pool.map(make, names))) for what, (make, names) in sets.items()}
    engine = np.concatenate([read["instruments"], read["prompts"]])
    for what, vectors in (*read.items(), ("all of the engine", engine), ("all", np.concatenate([*read.values()]))):
        share = vendi_score(vectors) / len(vectors)
        told = f"{what}: {share:.3f} of {len(vectors)}"
        if len(vectors) >= COUNT:
            chosen = vectors[most_varied(vectors, COUNT)]
            told += f"; of the {COUNT} that differ most {vendi_score(chosen) / COUNT:.3f}"
        print(told, flush=True)


if __name__ == "__main__":
    main()
