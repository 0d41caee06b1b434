import pytest

from lullwave.engines.synth.chance import Chance
from lullwave.engines.synth.planning.form import FORMS, plan_form


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("bars", [1, 2, 3, 4, 7, 8, 11, 15, 16, 19, 20, 21, 22, 26, 36, 47, 60, 72])
@pytest.mark.parametrize("intro", [True, False])
def test_forms_fit_any_length(form, bars, intro):
    for seed in range(6):
        parts = plan_form(Chance(seed), form, bars, finite=True, intro=intro)
        assert sum(p.bars for p in parts) == bars
        assert all(p.bars >= 1 for p in parts)
        assert [p.closing for p in parts] == [""] * (len(parts) - 1) + ["ring"]
        assert all(p.bars <= 7 for p in parts)


@pytest.mark.parametrize("form", list(FORMS))
def test_a_minute_has_an_arc(form):
    parts = plan_form(Chance(3), form, 20, finite=True)
    assert parts[0].name == "intro"
    assert parts[-1].name == "outro"
    assert {"A", "B"} <= {p.theme for p in parts}
    peak = max(range(len(parts)), key=lambda i: parts[i].energy)
    assert 0 < peak < len(parts) - 1
    assert parts[0].energy < parts[peak].energy > parts[-1].energy
    assert any("lead" in p.roles for p in parts)


def test_there_are_six_templates_or_more():
    shapes = {tuple(p.theme + str(p.roles) for p in plan_form(Chance(1), f, 20, True)) for f in FORMS}
    assert len(shapes) == len(FORMS) >= 6
