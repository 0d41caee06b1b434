"""Tiny random checkpoints of diffusers' pipelines, each written once, and engines that have loaded one."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """The directory of the tiny pipeline of a class."""
    from tiny_pipelines import write

    root = tmp_path_factory.mktemp("diffusers")

    def of(name):
        return root / name if (root / name).is_dir() else write(name, root / name)

    return of


@pytest.fixture(scope="session")
def load(checkpoint):
    """An engine that has loaded the tiny pipeline of a class; one for all tests."""
    from lullwave import load_engine

    loaded = {}

    def engine(name):
        if name not in loaded:
            loaded[name] = load_engine("diffusers", model=str(checkpoint(name)), device="cpu")
        return loaded[name]

    return engine
