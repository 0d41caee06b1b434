"""What a step of several songs costs, and which songs share one."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from lullwave.engines.musicgen.step_cost import StepCost, StepSize
from lullwave.request import Request


def machine(size, base=0.010, row=0.002, position=4e-6):
    return base + row * size.rows + position * size.positions


def test_the_cost_of_weights_rows_and_positions_is_found_from_steps():
    cost = StepCost()
    assert cost.seconds(StepSize(2, 10)) is None
    for step in range(300):
        for rows in (2, 4):
            size = StepSize(rows, rows * step)
            cost.learn(size, machine(size))
    for size in (StepSize(2, 1000), StepSize(4, 100), StepSize(8, 4000)):
        assert cost.seconds(size) == pytest.approx(machine(size), rel=0.05)


def test_rows_seem_free_until_a_step_had_more_of_them():
    cost = StepCost()
    size = StepSize(2, 200)
    for _ in range(50):
        cost.learn(size, machine(size))
    alone = cost.seconds(size)
    assert alone == pytest.approx(machine(size), rel=0.01)
    assert cost.seconds(StepSize(4, 200)) < 1.3 * alone
    for _ in range(20):
        cost.learn(StepSize(4, 400), machine(StepSize(4, 400)))
    assert cost.seconds(StepSize(4, 400)) == pytest.approx(machine(StepSize(4, 400)), rel=0.03)


def test_a_machine_that_slows_down_is_followed():
    cost = StepCost()
    for step in range(200):
        cost.learn(StepSize(2, step), machine(StepSize(2, step)))
    for step in range(200):
        cost.learn(StepSize(2, step), 3.0 * machine(StepSize(2, step)))
    assert cost.seconds(StepSize(2, 150)) == pytest.approx(3.0 * machine(StepSize(2, 150)), rel=0.1)


def test_a_machine_that_speeds_up_is_followed():
    """The next step of the one song is then as fast as the last one, and a second song is not kept out."""
    cost = StepCost()
    for step in range(800):
        share = 2.0 if step < 400 else 1.0
        size = StepSize(2, 2 * step)
        cost.learn(size, share * machine(size))
        if step in range(440, 800):
            assert cost.seconds(size) == pytest.approx(machine(size), rel=0.5 if step < 500 else 0.1)
            assert cost.seconds(StepSize(4, 2 * step + 100)) < 2.0 * machine(size)


def test_noise_does_not_make_rows_dearer():
    chance = np.random.default_rng(1)
    cost = StepCost()
    for step in range(600):
        size = StepSize(32, 32 * step) if step % 15 == 0 else StepSize(2, 2 * step)
        cost.learn(size, machine(size) * (1.0 + 0.1 * chance.standard_normal()))
    assert cost.seconds(StepSize(4, 2400)) == pytest.approx(machine(StepSize(4, 2400)), rel=0.2)


@pytest.mark.parametrize(("seconds_a_row", "together"), [(0.002, True), (0.009, False)])
def test_a_song_that_is_ahead_joins_a_step_that_stays_within_real_time(engine, monkeypatch, seconds_a_row, together):
    """Real time is a step in 20 ms: four rows take 10 ms, or 38."""
    scheduler = engine.scheduler
    with engine.stream(Request("calm", seed=1)) as one, engine.stream(Request("bass", seed=2)) as two:
        songs = [one._song, two._song]
        monkeypatch.setattr(type(songs[0]), "ready", property(lambda song: int(song is songs[1])))
        monkeypatch.setattr(scheduler._cost, "seconds", lambda size: 0.002 + seconds_a_row * size.rows)
        assert scheduler._in_time(songs[::-1]) == (songs if together else songs[:1])
        monkeypatch.setattr(scheduler._cost, "seconds", lambda size: None)  # nothing is known yet
        assert scheduler._in_time(songs) == songs[:1]
        monkeypatch.setattr(type(songs[0]), "ready", property(lambda song: 0))
        assert scheduler._in_time(songs) == songs  # equally far: together in any case
