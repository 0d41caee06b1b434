"""Windows and blends of prompts as functions of the step."""

import pytest

torch = pytest.importorskip("torch")

from lullwave.engines.musicgen.prompt_schedule import PromptSchedule, Window  # noqa: E402


def test_windows_slide_by_the_published_stride_and_are_filled_before_they_are_used():
    schedule = PromptSchedule("x")
    assert schedule.window_at(1499) == Window(0, 0)
    assert schedule.window_at(1500) == Window(1, 900)
    assert schedule.window_at(2399) == Window(1, 900)
    assert schedule.window_at(2400) == Window(2, 1800)
    assert schedule.next_window(899) is None
    assert schedule.next_window(900) == Window(1, 900)
    assert schedule.next_window(1500) is None
    for step in range(900, 9000):
        main, shadow = schedule.window_at(step), schedule.next_window(step)
        assert 0 <= step - main.first < 1500
        assert step < 1500 or step - main.first >= 600
        if schedule.window_at(step + 1) != main:
            assert shadow == schedule.window_at(step + 1)


@pytest.mark.parametrize(("window_s", "overlap_s"), [(5, 2), (7.3, 1.46), (10, 15), (29.99, 6), (30, 1), (30, 15)])
def test_windows_slide_by_what_they_do_not_share_and_two_at_most_are_under_way(window_s, overlap_s):
    schedule = PromptSchedule.for_window("calm", window_s, overlap_s)
    assert PromptSchedule.for_window("calm", 30.0, 12.0) == PromptSchedule("calm")
    assert schedule.length == round(50 * window_s)
    assert schedule.length - schedule.stride == pytest.approx(50 * min(overlap_s, window_s / 2), abs=1)
    before = schedule.window_at(0)
    for step in range(4 * schedule.length):
        main, shadow = schedule.window_at(step), schedule.next_window(step)
        assert main.first <= step < main.first + schedule.length
        assert main.number in (before.number, before.number + 1)
        if main != before:  # the one that was being filled
            assert (step - 1, main) == (step - 1, schedule.next_window(step - 1))
        assert shadow is None or shadow.number == main.number + 1
        before = main


def test_steering_blends_from_its_step_and_keeps_what_was_under_way():
    schedule = PromptSchedule("a").with_steer(100, 10, "b", new_window=False)
    assert schedule.shares(99) == {"a": 1.0}
    assert schedule.shares(104) == pytest.approx({"a": 0.5, "b": 0.5})
    assert schedule.shares(109) == {"b": 1.0}
    twice = schedule.with_steer(104, 2, "c", new_window=False)
    assert twice.shares(104)["c"] == pytest.approx(0.5)
    assert twice.shares(105) == {"c": 1.0}
    assert schedule.with_steer(50, 1, "d", new_window=False).shares(200) == {"d": 1.0}
    assert schedule.with_steer(0, 9, "e", new_window=False).shares(0) == {"e": 1.0}


def test_however_often_it_is_steered_little_is_kept_and_what_is_heard_stays():
    schedule = PromptSchedule("a")
    for i in range(2000):
        step, before = 10 + 100 * i, schedule
        schedule = schedule.with_steer(step, 50, f"p{i}", new_window=True)
        for back in (1, 60, 140, 4500, 6500):
            if step > back:
                assert schedule.shares(step - back) == before.shares(step - back)
                assert schedule.window_at(step - back) == before.window_at(step - back)
    assert len(schedule.steers) < 200
    assert len(schedule.anchors) < 200
    assert schedule.shares(10**6) == {"p1999": 1.0}


def test_a_blend_holds_few_prompts_at_once():
    schedule = PromptSchedule("a")
    for i in range(60):
        schedule = schedule.with_steer(10 + 50 * i, 3000, f"p{i}", new_window=False)
        shares = schedule.shares(30 + 50 * i)
        assert len(shares) <= 8
        assert shares[f"p{i}"] == pytest.approx(21 / 3000)
        assert sum(shares.values()) == pytest.approx(1.0)


def test_steering_anew_begins_a_window_over_the_overlap():
    schedule = PromptSchedule("a").with_steer(2000, 1, "b", new_window=True)
    assert schedule.window_at(1999) == Window(1, 900)
    assert schedule.window_at(2000) == Window(2, 1400)
    assert schedule.fill_step(Window(2, 1400)) == 2000
    assert schedule.window_at(2900) == Window(3, 2300)
