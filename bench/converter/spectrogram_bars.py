"""The bars that the spectrogram module must reach, each judged as pass or fail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

HOUR_MB = 1000.0
SPEEDS = {"fast": 40.0, "good": 20.0, "best": 2.0, "fast, no numba": 15.0, "forward": 3.0}  # times the old converter
MOST = {"fast": {"SC": 0.045}, "best": {"SC": 0.013, "image": 0.5}}  # largest means over recorded clips
LEAST = {"fast": {"onset": 0.92}, "best": {"onset": 0.97}}
NEARER_DB = {"fast": 0.9, "best": 1.5}  # log-spectral distance below the old converter's
FORWARD_ERROR = 1e-6


@dataclass(frozen=True)
class Bar:
    """One bar: a value and whether it passes."""

    name: str
    value: float
    wanted: float
    passed: bool

    def __str__(self) -> str:
        return f"{'pass' if self.passed else 'MISS'}  {self.name}: {self.value:.4g} (bar {self.wanted:.4g})"


def least(name: str, value: float, wanted: float) -> Bar:
    return Bar(name, value, wanted, value >= wanted)


def most(name: str, value: float, wanted: float) -> Bar:
    return Bar(name, value, wanted, value <= wanted)


def of_speed(rows: Iterable[Row]) -> list[Bar]:
    """The bars of speed, as ratios to the old converter."""
    return [least(f"{r['mode']}, times old", r["times old"], SPEEDS[r["mode"]]) for r in rows if r["mode"] in SPEEDS]


def of_quality(rows: Sequence[Row]) -> list[Bar]:
    """The bars of fidelity: means of recorded clips, `good` on each clip and image, and the analysis."""
    found = []
    mean = {row["mode"]: row for row in rows if row["set"] == "recorded" and row["clip"] == "mean"}
    for mode in ("fast", "best") if mean else ():
        found += [most(f"{mode}, recorded, {c}", mean[mode][c], bar) for c, bar in MOST[mode].items()]
        found += [least(f"{mode}, recorded, {c}", mean[mode][c], bar) for c, bar in LEAST[mode].items()]
        nearer = mean["old"]["LSD dB"] - mean[mode]["LSD dB"]
        found.append(least(f"{mode}, recorded, dB of LSD below old", nearer, NEARER_DB[mode]))
    single = {(row["set"], row["clip"], row["mode"]): row for row in rows if row["clip"] != "mean"}
    for (kind, clip, mode), row in single.items():
        if mode == "good":
            old, name = single[kind, clip, "old"], f"good, {kind}, {clip}"
            found += [most(f"{name}, {column}", row[column], old[column]) for column in ("image", "SC")]
            found.append(least(f"{name}, onset", row["onset"], old["onset"]))
        if mode == "fast" and row.get("forward error", "") != "":
            found.append(most(f"analysis, {clip}, relative error", row["forward error"], FORWARD_ERROR))
    return found


def of_memory(rows: Iterable[Row]) -> list[Bar]:
    """The bar of memory: an hour of sound in under 1 GB."""
    return [
        most(f"{r['command']}, channels {r['channels']}, bits {r['bits']}, MB", r["peak MB"], HOUR_MB) for r in rows
    ]


def judge(bars: Sequence[Bar]) -> None:
    """Print a line for each bar; exit with 1 if one is missed."""
    for bar in bars:
        print(bar)
    if missed := sum(not bar.passed for bar in bars):
        raise SystemExit(f"{missed} of {len(bars)} bars missed")
