"""Keeps the environment's settings from the tests. Modules in ``helpers`` are on the search path (pyproject.toml)."""

import asyncio
import logging
import os

import pytest

# Settings of whoever runs the tests must not reach them.
for name in [name for name in os.environ if name.startswith(("LULLWAVE_", "INFERENCE_SERVER_"))] + ["API_KEY"]:
    os.environ.pop(name, None)

# Processes that share the cores take one each: two pools of threads that wait for each other take many times as long.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Without a GPU, Triton's interpreter runs the kernels. Triton reads this when it is imported, as diffusers does.
if not os.path.exists("/dev/nvidiactl"):
    os.environ["TRITON_INTERPRET"] = "1"


@pytest.fixture(autouse=True)
def log_level_as_before():
    """Commands that run in the tests' own process set the level and the handlers of the root logger."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


class BriefPauses:
    """``asyncio`` for uvicorn, which sleeps a tenth of a second between its looks whether a server is to end."""

    def __getattr__(self, name: str) -> object:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


@pytest.fixture(scope="session", autouse=True)
def servers_end_soon():
    """The tests start and stop hundreds of servers."""
    import uvicorn.server

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uvicorn.server, "asyncio", BriefPauses())
        yield


@pytest.fixture
def bare_playout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Playout without master and encoder; what leaves the reserve is the same."""
    from bare_playout import NoEncoder, NoMaster

    from lullwave.station import output

    monkeypatch.setattr(output, "Master", NoMaster)
    monkeypatch.setattr(output, "Mp3Encoder", NoEncoder)


@pytest.fixture
def no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Playout without encoder, which takes most of its time; what is mastered is the same."""
    from bare_playout import NoEncoder

    from lullwave.station import output

    monkeypatch.setattr(output, "Mp3Encoder", NoEncoder)


def pytest_collection_modifyitems(config, items):
    """Slow tests run when they are asked for: ``-m slow``, or by name."""
    if not config.option.markexpr and not any("::" in argument for argument in config.args):
        slow = [item for item in items if item.get_closest_marker("slow")]
        if slow:
            config.hook.pytest_deselected(items=slow)
            items[:] = [item for item in items if item not in slow]
