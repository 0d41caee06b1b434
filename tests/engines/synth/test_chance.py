from statistics import mean, pstdev

from lullwave.engines.synth.chance import Chance


def test_draws_depend_on_the_key_alone():
    first, second = Chance(7, "bass"), Chance(7, "bass")
    Chance(7, "other").uniform()
    assert [first.uniform() for _ in range(5)] == [second.uniform() for _ in range(5)]
    assert Chance(7, "bass").uniform() != Chance(8, "bass").uniform()


def test_a_finer_purpose_does_not_depend_on_draws_before_it():
    one, other = Chance(1), Chance(1)
    one.uniform()
    assert one.of("x", 2).uniform() == other.of("x", 2).uniform()


def test_distributions():
    chance = Chance(3)
    values = [chance.uniform() for _ in range(20000)]
    assert abs(mean(values) - 0.5) < 0.01
    assert 0 <= min(values) < 0.001
    assert 0.999 < max(values) < 1
    normal = [chance.normal(2.0) for _ in range(20000)]
    assert abs(mean(normal)) < 0.06
    assert abs(pstdev(normal) - 2.0) < 0.1
    assert max(map(abs, normal)) <= 5.0
    picks = [chance.weighted({"a": 3.0, "b": 1.0, "never": 0.0}) for _ in range(8000)]
    assert abs(picks.count("a") / 8000 - 0.75) < 0.02
    assert "never" not in picks
    assert {chance.whole(2, 4) for _ in range(200)} == {2, 3, 4}


def test_an_order_holds_everything_once():
    assert sorted(Chance(1).order(range(9))) == list(range(9))
