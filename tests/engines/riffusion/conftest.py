"""A tiny random checkpoint, made once, and images that need no engine."""

import numpy as np
import pytest
from pictures import picture
from PIL import Image


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    from lullwave.engines.riffusion.model.random_checkpoint import make_random

    return make_random(tmp_path_factory.mktemp("riffusion") / "tiny", seed=3)


@pytest.fixture(scope="session")
def pipeline(checkpoint):
    import torch

    from lullwave.engines.riffusion.model.weights import load
    from lullwave.engines.riffusion.pipeline import Pipeline

    return Pipeline(load(checkpoint, torch.device("cpu"), torch.float32))


@pytest.fixture(scope="session")
def small_image():
    return picture(128, 128, 1)


@pytest.fixture(scope="session")
def small_mask():
    """Grey values from kept (black) to repainted (white), in steps along the frequency axis."""
    ramp = np.repeat(np.linspace(0, 255, 16).astype(np.uint8), 8)
    return Image.fromarray(np.tile(ramp[:, None], (1, 128)))
