"""A smaller model beside an engine: asked for by a request, loaded late, let go of; here, isolated and elsewhere."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from inference_servers import inferring
from sine_engine import RATE, SineEngine, SineOptions

from lullwave import Request, load_engine
from lullwave.engines import smaller
from lullwave.engines.base import smaller_weights
from lullwave.engines.smaller import with_smaller
from lullwave.errors import CheckpointError, InvalidInput, SnapshotError, StreamClosed
from lullwave.options import describe, option

BIG = Request("a night", 7)
SMALL = Request("a night", 7, options={"smaller": True})


@dataclass(frozen=True)
class ModelOptions:
    model: str = option("large", "which")
    smaller: str = smaller_weights()


class ModelEngine(SineEngine):
    """The smaller one plays at another rate."""

    name: ClassVar[str] = "model"
    load_options: ClassVar[type] = ModelOptions
    options: ClassVar[type] = SineOptions
    weights: ClassVar[str] = "model"
    lighter = ({"hz": 300.0},)
    loaded: ClassVar[list[str]] = []
    closed: ClassVar[list[str]] = []

    def __init__(self, model: str) -> None:
        self.model = model
        self.rate = 32000 if model != "large" else RATE
        self.loaded.append(model)

    def close(self) -> None:
        self.closed.append(self.model)


def paired(load=lambda: ModelEngine("small"), kept_s: float = 600.0):
    ModelEngine.loaded.clear()
    ModelEngine.closed.clear()
    kind = with_smaller(ModelEngine)
    kind.kept_s = kept_s
    return kind(load_smaller=load, model="large")


def test_it_is_the_engine_itself_with_one_step_more():
    with paired() as engine:
        assert isinstance(engine, ModelEngine)
        assert (engine.name, engine.rate, engine.rewindable_s) == ("model", RATE, SineEngine.rewindable_s)
        assert engine.lighter == ({"hz": 300.0}, {"smaller": True})
        assert {info.name for info in describe(engine.options)} == {"hz", "smaller"}
        with engine.stream(BIG) as stream, ModelEngine("large").stream(BIG) as alone:
            assert np.array_equal(stream.read(1000).samples, alone.read(1000).samples)
            assert not stream.snapshot().startswith(smaller.MAGIC)


def test_the_smaller_model_is_loaded_when_it_is_asked_for_and_let_go_of_when_nobody_has_played_it():
    let_go = threading.Event()

    class Watched(ModelEngine):
        def close(self):
            super().close()
            let_go.set()

    with paired(lambda: Watched("small"), kept_s=0.05) as engine:
        assert ModelEngine.loaded == ["large"]
        first, second = engine.stream(SMALL), engine.stream(SMALL)
        assert ModelEngine.loaded == ["large", "small"]
        first.close()
        first.close()  # once more is not two streams
        assert engine.smaller_loaded
        second.close()
        assert let_go.wait(30)
        assert ModelEngine.closed == ["small"]
        engine.stream(SMALL).close()
        assert ModelEngine.loaded == ["large", "small", "small"]
    assert ModelEngine.closed.count("large") == 1


def test_its_streams_are_whole_ones():
    request = Request("a night", 7, options={"smaller": True, "hz": 250.0})
    with paired() as engine, engine.stream(request) as stream, ModelEngine("small") as alone:
        own = alone.stream(Request("a night", 7, options={"hz": 250.0}))
        assert (stream.rate, stream.channels, dict(stream.request.options)) == (32000, 2, dict(request.options))
        assert np.array_equal(stream.read(40000).samples, own.read(40000).samples)
        assert stream.marks(0, 40000) == own.marks(0, 40000)
        assert list(stream.beats(0, 40000)) == own.beats(0, 40000)
        snapshot = stream.snapshot(20000)
        fork = stream.fork(20000)
        assert stream.steer("day", 1.0) == own.steer("day", 1.0)
        assert np.array_equal(stream.read(5000).samples, own.read(5000).samples)
        with fork, engine.restore(snapshot) as restored:
            again = alone.restore(own.snapshot(20000))
            wanted = again.read(3000).samples
            for one in (fork, restored):
                assert one.position == 20000
                assert np.array_equal(one.read(3000).samples, wanted)
                assert one.snapshot().startswith(smaller.MAGIC)


def test_wrong_values_and_a_model_that_does_not_load_leave_the_engine_as_it_is():
    def broken():
        raise CheckpointError("the smaller model is damaged")

    with paired(broken) as engine:
        with pytest.raises(CheckpointError):
            engine.stream(SMALL)
        for wrong in ({"smaller": 1}, {"smaller": True, "kazoo": 2}, {"kazoo": 2}):
            with pytest.raises((InvalidInput, CheckpointError)):
                engine.stream(Request("a night", 7, options=wrong))
        with engine.stream(Request("a night", 7, options={"smaller": False})) as stream:
            assert stream.read(10).frames == 10
        with pytest.raises(SnapshotError):
            ModelEngine("large").restore(smaller.MAGIC + b"{}")


def test_closing_does_not_wait_for_a_model_that_is_being_loaded():
    begun, go_on = threading.Event(), threading.Event()

    def slowly():
        begun.set()
        assert go_on.wait(60)
        return ModelEngine("small")

    engine, caught = paired(slowly), []

    def ask():
        with pytest.raises(StreamClosed):
            engine.stream(SMALL)
        caught.append(True)

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(60)
    engine.close()
    go_on.set()
    asking.join(60)
    assert caught
    assert sorted(ModelEngine.closed) == ["large", "small"]


def test_over_the_protocol_the_smaller_model_is_one_more_step_and_its_streams_have_their_own_rate():
    with (
        inferring(paired()) as served,
        load_engine(served.url) as engine,
        engine.stream(BIG) as big,
        engine.stream(SMALL) as small,
        ModelEngine("small") as alone,
        alone.stream(BIG) as own,
    ):
        assert list(engine.lighter) == [{"hz": 300.0}, {"smaller": True}]
        assert (big.rate, small.rate) == (RATE, 32000)
        assert np.array_equal(small.read(5000).samples, own.read(5000).samples)
        with engine.restore(small.snapshot()) as again:
            assert np.array_equal(again.read(500).samples, own.read(500).samples)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two tiny checkpoints of MusicGen, of different weights and channels."""
    pytest.importorskip("torch")
    from lullwave.engines.musicgen.model.random_checkpoint import write_random

    folder = tmp_path_factory.mktemp("models")
    write_random("musicgen-tiny-stereo", folder / "large", 1)
    write_random("musicgen-tiny", folder / "small", 2)
    return {"model": str(folder / "large"), "smaller": str(folder / "small")}


def test_a_real_second_checkpoint_plays_what_it_plays_alone(models):
    exact = {"device": "cpu", "dtype": "float32", "threads": 1}
    with load_engine("musicgen", **models, **exact) as engine:
        assert engine.lighter[-1] == {"smaller": True}
        assert not engine.smaller_loaded
        with engine.stream(BIG) as big, engine.stream(SMALL) as small:
            assert (big.channels, small.channels) == (2, 1)
            made, snapshot = small.read(20000).samples, small.snapshot()
            small.steer("day", 1.0)
            assert big.read(5000).frames == 5000
        with engine.restore(snapshot) as again:
            went_on = again.read(20000).samples
    with load_engine("musicgen", model=models["smaller"], **exact) as alone, alone.stream(BIG) as own:
        assert np.array_equal(made, own.read(20000).samples)
        assert np.array_equal(went_on, own.read(20000).samples)


@pytest.mark.slow
def test_isolated_the_process_has_both_and_says_so(models):
    with (
        load_engine("isolated:musicgen", **models, dtype="float32", threads=1) as engine,
        engine.stream(SMALL) as small,
        engine.stream(BIG) as big,
    ):
        assert list(engine.lighter)[-1] == {"smaller": True}
        assert (small.channels, big.channels) == (1, 2)
        assert small.read(5000).frames == 5000
        with engine.restore(small.snapshot()) as again:
            assert again.channels == 1


def test_smaller_weights_that_are_not_there_are_refused_at_the_start(models):
    with pytest.raises(CheckpointError, match="nobody/nothing"):
        load_engine("musicgen", model=models["model"], smaller="nobody/nothing", offline=True)
