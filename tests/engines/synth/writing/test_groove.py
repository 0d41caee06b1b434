from statistics import mean, pstdev

import pytest

from lullwave.engines.synth.chance import Chance
from lullwave.engines.synth.score import LOOKAHEAD_S
from lullwave.engines.synth.writing import groove


@pytest.mark.parametrize(("swing", "unit", "beat", "falls"), [
    (0.5, 0.5, 0.25, 0.25),
    (0.6, 0.5, 0.25, 0.3),
    (0.6, 0.5, 0.5, 0.5),
    (0.6, 0.5, 1.75, 1.8),
    (2 / 3, 1.0, 0.5, 2 / 3),
    (2 / 3, 1.0, 3.0, 3.0),
])  # fmt: skip
def test_swing_delays_the_second_of_each_pair(swing, unit, beat, falls):
    assert groove.swung(beat, swing, unit) == pytest.approx(falls)


def test_swing_keeps_the_order_of_time():
    times = [groove.swung(k / 16, 0.66, 0.5) for k in range(64)]
    assert times == sorted(times)


def test_hats_swing_more_than_the_kick_and_the_keys_less():
    assert groove.part_swing(0.6, "hat") > groove.part_swing(0.6, "drums") > groove.part_swing(0.6, "keys") > 0.5


def bars(**changes):
    manner = {
        "level": 3, "kick": (0, 10), "hats": "eighths", "kit": "dusty", "energy": 0.8, "fill": "", "silent_from": 16
    } | changes  # fmt: skip
    for bar in range(200):
        yield groove.strokes(Chance(bar), bar=bar, **manner)


def test_the_grid_is_firm():
    for strokes in bars():
        assert ("kick", 0) in {(d, s) for d, s, _ in strokes}
        assert {4, 12} <= {s for d, s, v in strokes if d == "snare" and v > 0.5}


def test_ghosts_are_quiet_and_few():
    ghosts = [v for strokes in bars() for d, s, v in strokes if d == "snare" and s in (7, 9, 15)]
    assert all(v < 0.35 for v in ghosts)
    assert 0.15 < len(ghosts) / 600 < 0.4


def test_levels_add_drums():
    counts = [mean(len(s) for s in bars(level=level)) for level in range(4)]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert all(d == "hat" for strokes in bars(level=1) for d, _, _ in strokes)


def test_drums_drop_out():
    assert all(s < 12 for strokes in bars(silent_from=12) for _, s, _ in strokes)


def test_fills_come_where_sections_end():
    last = [groove.pick_fill(Chance(k), 3, 4, True) for k in range(400)]
    inner = [groove.pick_fill(Chance(k), 1, 4, True) for k in range(400)]
    assert sum(map(bool, last)) / 400 > 0.6
    assert not any(inner)


def test_unwanted_drums_are_replaced():
    for strokes in bars():
        assert "snare" not in {d for d, _, _ in groove.replace_muted(strokes, ("snare",))}
        assert not {"hat", "open_hat"} & {d for d, _, _ in groove.replace_muted(strokes, ("hat",))}


def test_hands_stray_by_milliseconds():
    late = []
    for bar in range(300):
        hits = groove.place_hits(Chance(bar), [("kick", 0, 0.9), ("snare", 4, 0.8)], 0.75, 0.55, 0.5, {"snare": 15.0})
        assert all(h.start_s >= -LOOKAHEAD_S for h in hits)
        late.append(next(h.start_s - 0.75 for h in hits if h.drum == "snare") * 1000)
    assert mean(late) == pytest.approx(15, abs=1.5)
    assert 2 < pstdev(late) < 6
