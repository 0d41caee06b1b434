"""The bench's verdict, on rows whose verdict is known."""

import pytest

from bench.converter import spectrogram_bars as bars


def row(mode, clip="mean", **figures):
    return {"set": "recorded", "clip": clip, "mode": mode, **figures}


GOOD = [
    row("old", SC=0.071, image=2.2, onset=0.84, **{"LSD dB": 5.43}),
    row("fast", SC=0.04, image=1.0, onset=0.93, **{"LSD dB": 4.4}),
    row("best", SC=0.012, image=0.4, onset=0.98, **{"LSD dB": 3.9}),
    row("old", "one", SC=0.07, image=2.0, onset=0.8),
    row("good", "one", SC=0.03, image=0.9, onset=0.9),
]


def test_rows_that_reach_every_bar_pass(capsys):
    bars.judge(bars.of_quality(GOOD))
    assert "MISS" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("at", "change"),
    [(1, {"SC": 0.05}), (1, {"LSD dB": 4.6}), (2, {"onset": 0.9}), (2, {"image": 0.6}), (4, {"onset": 0.7})],
)
def test_one_figure_too_few_is_one_miss(at, change):
    rows = [{**one, **change} if i == at else one for i, one in enumerate(GOOD)]
    assert sum(not bar.passed for bar in bars.of_quality(rows)) == 1
    with pytest.raises(SystemExit, match="1 of 10 bars missed"):
        bars.judge(bars.of_quality(rows))


def test_speed_and_memory():
    assert [bar.passed for bar in bars.of_speed([{"mode": "fast", "times old": 39.0}, {"mode": "old"}])] == [False]
    hour = {"command": "audio-to-image", "channels": 2, "bits": 8}
    assert [bar.passed for bar in bars.of_memory([{**hour, "peak MB": mb} for mb in (999.0, 1001.0)])] == [True, False]
