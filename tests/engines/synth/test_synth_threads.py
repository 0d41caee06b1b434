"""Streams of one engine, read at the same time, play what each plays alone: to the last bit."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from lullwave.engines import load_engine
from lullwave.engines.base import Engine
from lullwave.request import Request


def test_company_changes_nothing():
    def play(engine: Engine, seed: int) -> np.ndarray:
        with engine.stream(Request(prompt="dusty boom bap with rhodes", seed=seed)) as stream:
            return np.concatenate([stream.read(22050).samples for _ in range(16)])

    alone = {seed: play(load_engine("synth"), seed) for seed in (1, 2)}
    shared = load_engine("synth", cache_mb=8)
    seeds = [1, 2, 1, 1]
    with ThreadPoolExecutor(len(seeds)) as pool:
        together = list(pool.map(lambda seed: play(shared, seed), seeds))
    for seed, samples in zip(seeds, together, strict=True):
        np.testing.assert_array_equal(samples, alone[seed])
