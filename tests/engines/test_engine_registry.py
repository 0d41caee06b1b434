"""Engines by name: built in, by entry point, absent, broken, and how they are loaded."""

from importlib.metadata import EntryPoint

import pytest

import lullwave.engines as engines
from lullwave.engines import engine_class, engine_names, load_engine
from lullwave.engines.base import Engine
from lullwave.errors import EngineError, InvalidInput, MissingExtra, UnknownEngine


@pytest.fixture
def points(monkeypatch):
    """Entry points of this test alone: a function that adds one."""
    added = []
    monkeypatch.setattr(engines, "entry_points", lambda group: [p for p in added if p.group == group])

    def add(name: str, value: str) -> None:
        added.append(EntryPoint(name, value, engines.GROUP))

    return add


def test_the_embedded_engine_is_there():
    assert "synth" in engine_names()


def test_an_unknown_name_lists_the_known_ones(points):
    points("birdsong", "nowhere:Birdsong")
    with pytest.raises(UnknownEngine, match=r"'theremin'.*synth.*birdsong"):
        engine_class("theremin")


def test_a_built_in_engine_cannot_be_replaced(points):
    points("synth", "json:JSONDecoder")
    assert engine_names().count("synth") == 1
    assert engine_class("synth").name == "synth"


def test_an_absent_package_of_a_built_in_engine_names_the_extra(monkeypatch):
    monkeypatch.setitem(engines._BUILT_IN, "heavy", ("no_such_package.engine:Heavy", "ai"))
    with pytest.raises(MissingExtra, match=r"no_such_package.*pip install 'lullwave\[ai\]'"):
        engine_class("heavy")


def test_a_third_party_that_does_not_import_is_an_engine_error(points):
    points("broken", "no_such_package:Broken")
    with pytest.raises(EngineError, match="'broken' cannot be loaded"):
        engine_class("broken")


def test_an_entry_point_that_is_no_engine_is_refused(points):
    points("wrong", "json:JSONDecoder")
    with pytest.raises(EngineError, match="no Engine class"):
        engine_class("wrong")


def test_load_options_are_checked():
    with pytest.raises(InvalidInput, match=r"synth\.nonsense"):
        load_engine("synth", nonsense=1)
    with pytest.raises(InvalidInput, match="the name of an engine"):
        load_engine(None)


def test_an_engine_is_closed_by_its_block():
    with load_engine("synth") as engine:
        assert isinstance(engine, Engine)
        assert engine.rate > 0
