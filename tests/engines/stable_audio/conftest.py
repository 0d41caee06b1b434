"""Tiny random checkpoints, made once: of the distilled kind, and of the base kind with differential attention off."""

import pytest


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    from lullwave.engines.stable_audio.model.random_checkpoint import make_random

    return make_random(tmp_path_factory.mktemp("stable-audio") / "tiny", seed=3)


@pytest.fixture(scope="session")
def base_checkpoint(tmp_path_factory):
    pytest.importorskip("torch")
    pytest.importorskip("diffusers")
    from lullwave.engines.stable_audio.model.random_checkpoint import make_random

    directory = tmp_path_factory.mktemp("stable-audio") / "base"
    return make_random(directory, seed=4, distilled=False, use_differential_attention=False)


@pytest.fixture(scope="session")
def networks(checkpoint):
    import torch

    from lullwave.engines.stable_audio.model.checkpoint import load

    return load(checkpoint, torch.device("cpu"), torch.float32)
