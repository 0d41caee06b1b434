"""Engines by name: built in, by entry point, absent, broken, and how they are loaded."""

import ast
import subprocess
import sys
import textwrap
from importlib.metadata import EntryPoint

import pytest

import lullwave.engines as engines
from lullwave.engines import engine_class, engine_facts, engine_names, load_engine
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
    heavy = engines._BuiltIn("lullwave.no_such:Heavy", "lullwave.no_such:Facts", "ai", ("no_such_package",))
    monkeypatch.setitem(engines._BUILT_IN, "heavy", heavy)
    for ask in (engine_class, engine_facts, load_engine):
        with pytest.raises(MissingExtra, match=r"'heavy'.*no_such_package.*pip install 'lullwave\[ai\]'"):
            ask("heavy")


@pytest.mark.parametrize("name", ["musicgen", "riffusion"])
@pytest.mark.parametrize("package", ["torch", "transformers", "safetensors"])
def test_without_its_extra_a_neural_engine_says_what_to_install(name, package):
    """In a fresh interpreter in which one package cannot be found."""
    ran = _python(f"""
        import sys
        sys.modules[{package!r}] = None  # as if it were not installed
        from lullwave import load_engine
        from lullwave.errors import MissingExtra
        try:
            load_engine({name!r})
        except MissingExtra as error:
            print(error)
    """)
    assert ran == (
        f"engine {name!r} needs the package {package!r}, which is not installed; "
        "install it with: pip install 'lullwave[ai]'"
    )


def test_the_list_of_engines_imports_no_package_of_an_extra():
    pytest.importorskip("torch")
    ran = _python("""
        import sys
        from lullwave.engines import engine_facts, engine_names
        print([engine_facts(name).name for name in engine_names()])
        print({"torch", "transformers", "diffusers"} & set(sys.modules))
    """)
    names, heavy = ran.splitlines()
    assert {"synth", "musicgen", "riffusion", "stable-audio"} <= set(ast.literal_eval(names))
    assert heavy == "set()"


@pytest.mark.parametrize("name", ["musicgen", "riffusion", "stable-audio"])
def test_the_facts_are_the_engines_own(name):
    pytest.importorskip("diffusers")
    facts, kind = engine_facts(name), engine_class(name)
    assert (facts.name, facts.options, facts.load_options) == (name, kind.options, kind.load_options)
    assert issubclass(kind, facts)


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_third_party_that_does_not_import_is_an_engine_error(points):
    points("broken", "no_such_package:Broken")
    with pytest.raises(EngineError, match="'broken' cannot be loaded"):
        engine_class("broken")


def test_an_entry_point_that_is_no_engine_is_refused(points):
    points("wrong", "json:JSONDecoder")
    with pytest.raises(EngineError, match="no Engine class"):
        engine_class("wrong")


@pytest.mark.parametrize("fact", ["lighter = ('steps',)", "lighter = ({'steps': 4}, 5)", "weights = 'model'"])
def test_a_third_party_whose_facts_would_break_a_station_later_is_refused_at_once(fact, points, tmp_path, monkeypatch):
    (tmp_path / "hasty_package.py").write_text(
        f"from lullwave.engines.base import Engine\nclass Hasty(Engine):\n    summary = 'x'\n    {fact}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "hasty_package", raising=False)
    points("hasty", "hasty_package:Hasty")
    with pytest.raises(EngineError, match="'hasty' is described wrongly"):
        engine_class("hasty")


def test_load_options_are_checked():
    with pytest.raises(InvalidInput, match="unknown option 'nonsense'") as unknown:
        load_engine("synth", nonsense=1)
    assert unknown.value.field == "synth.nonsense"
    with pytest.raises(InvalidInput, match="the name of an engine"):
        load_engine(None)


def test_an_engine_is_closed_by_its_block():
    with load_engine("synth") as engine:
        assert isinstance(engine, Engine)
        assert engine.rate > 0


def test_a_third_party_s_broken_engine_is_its_own_fault_alone(points, tmp_path, monkeypatch):
    (tmp_path / "cracked_package.py").write_text("1 / 0")
    (tmp_path / "vague_package.py").write_text(
        "from lullwave.engines.base import Engine\nclass Vague(Engine):\n    summary = 'x'\n    options = 5\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    points("cracked", "cracked_package:Cracked")
    points("vague", "vague_package:Vague")
    assert engine_names()[-2:] == ["cracked", "vague"]
    with pytest.raises(EngineError, match=r"'cracked'.*ZeroDivisionError"):
        engine_facts("cracked")
    with pytest.raises(EngineError, match="'vague'"):
        engine_class("vague")
    from lullwave.cli.commands.engines import _overview

    assert _overview().row_count == len(engine_names())
