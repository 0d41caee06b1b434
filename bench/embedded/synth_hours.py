"""Renders hours of music faster than real time: ``python -m bench.embedded.synth --only-hours --hours 6``.

One programme, mastered as on the radio, is judged by bars: gaps, minutes off their level, joins of pieces, repeated
motifs, memory. The same programme without crackle is rendered beside it to look for clicks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from bench import measure
from bench.converter.spectrogram_bars import Bar, least, most
from bench.embedded import estimators
from lullwave.audio import Samples
from lullwave.engines.synth.engine import SynthEngine
from lullwave.engines.synth.stream import SynthStream
from lullwave.engines.synth.writing import melody
from lullwave.mastering import Master
from lullwave.mastering.master import TARGET_LUFS
from lullwave.request import Request

RATE = 44100
MOST_GAP_S = 0.05
MOST_OFF_LU = 1.0  # largest distance of a minute from the target
MOST_STEP_LU = 3.0  # largest step from the second before a join to the second after
MOST_BEAT_OFF_S = 0.010
MOST_GROWTH = 1.05  # largest ratio of the memory in the last hour to the first


@dataclass
class Hours:
    """The measures so far."""

    minutes_lufs: list[float] = field(default_factory=list)
    gap_frames: int = 0
    steps_lu: list[float] = field(default_factory=list)
    long_steps_lu: list[float] = field(default_factory=list)  # over 3 s
    off_beat_s: list[float] = field(default_factory=list)  # at joins of one tempo
    clicks_at_joins: int = 0
    clicks: int = 0  # anywhere
    motifs: set[str] = field(default_factory=set)
    repeated: int = 0
    resident_mb: list[float] = field(default_factory=list)

    def rows(self) -> list[dict[str, Any]]:
        """The measures as rows of a table."""
        found = {
            "hours": len(self.minutes_lufs) / 60,
            "longest gap (s)": self.gap_frames / RATE,
            "loudest minute (LUFS)": max(self.minutes_lufs),
            "quietest minute (LUFS)": min(self.minutes_lufs),
            "joins": len(self.steps_lu),
            "largest step at a join, 1 s (LU)": max(map(abs, self.steps_lu), default=0.0),
            "largest step at a join, 3 s (LU)": max(map(abs, self.long_steps_lu), default=0.0),
            "clicks at joins": self.clicks_at_joins,
            "clicks anywhere": self.clicks,
            "joins of one tempo": len(self.off_beat_s),
            "beat off at such a join (s)": max(self.off_beat_s, default=0.0),
            "motifs": len(self.motifs),
            "motifs repeated": self.repeated,
            "memory, median of the first hour (MB)": self._memory()[0],
            "memory, median of the last hour (MB)": self._memory()[1],
        }
        return [{"what": name, "value": value} for name, value in found.items()]

    def bars(self) -> list[Bar]:
        """The bars, judged."""
        first, last = self._memory()
        off = max(abs(lufs - TARGET_LUFS) for lufs in self.minutes_lufs)
        return [
            most("longest gap (s)", self.gap_frames / RATE, MOST_GAP_S),
            most("a minute's loudness off the target (LU)", off, MOST_OFF_LU),
            least("joins", len(self.steps_lu), 1),
            most("step at a join, 1 s (LU)", max(map(abs, self.steps_lu), default=0.0), MOST_STEP_LU),
            most("clicks at joins", self.clicks_at_joins, 0),
            most("clicks anywhere", self.clicks, 0),
            most("beat off at a join of one tempo (s)", max(self.off_beat_s, default=0.0), MOST_BEAT_OFF_S),
            most("motifs repeated", self.repeated, 0),
            most("memory of the last hour against the first", last / first, MOST_GROWTH),
        ]

    def _memory(self) -> tuple[float, float]:
        return median(self.resident_mb[5:60] or self.resident_mb), median(self.resident_mb[-60:])


def play(engine: SynthEngine, length_h: float, prompt: str = "", seed: int = 11) -> Hours:
    """Render a long programme, mastered, and measure it.

    A join is judged by the loudness of a second on either side (and of three), by clicks in that second, and by the
    beats if both pieces have the same tempo. A motif counts as repeated when it is used in two pieces.
    """
    import pyloudnorm

    heard, heard_master = engine.stream(Request(prompt=prompt, seed=seed)), Master(RATE, 2)
    bare, master = engine.stream(Request(prompt=prompt, seed=seed, options={"crackle": False})), Master(RATE, 2)
    meter, short = pyloudnorm.Meter(RATE), pyloudnorm.Meter(RATE, block_size=0.4)
    found = Hours()
    quiet = known = 0  # frames below the floor at the end so far; frames whose marks were read
    kept = np.zeros((0, 2), np.float32)  # the last minutes, for the joins in them
    waiting: list[tuple[int, float, float]] = []  # joins that are not judged yet: frame, tempo before and after
    tempo = 0.0
    for minute in range(round(length_h * 60)):
        samples = np.concatenate([heard_master.process(heard.read(RATE)).samples for _ in range(60)])
        found.minutes_lufs.append(_level(meter, samples))
        loud = np.flatnonzero(np.abs(samples).max(axis=1) > 1e-3)
        edges = np.concatenate([[-1 - quiet] if minute else [], loud, [len(samples)]])
        found.gap_frames = max(found.gap_frames, int(np.diff(edges).max()) - 1)
        quiet = len(samples) - 1 - int(loud[-1]) if len(loud) else quiet + len(samples)
        samples = np.concatenate([master.process(bare.read(RATE)).samples for _ in range(60)])
        if wrong := estimators.clicks(samples, RATE):
            found.clicks += len(wrong)
            print(f"clicks at {', '.join(f'{60 * minute + at:.3f}' for at in wrong[:8])} s", flush=True)
        for mark in bare.marks(known, bare.position):
            if mark.kind == "piece":
                if tempo:
                    waiting.append((mark.frame, tempo, float(mark.data["tempo_bpm"])))
                tempo = float(mark.data["tempo_bpm"])
                names = _motifs(bare)
                found.repeated += len(names & found.motifs)
                found.motifs |= names
        known = bare.position
        kept = np.concatenate([kept, samples])[-150 * RATE :]
        kept_from = bare.position - len(kept)
        while waiting and waiting[0][0] + master.latency_frames + 4 * RATE < bare.position:
            frame, before, after = waiting.pop(0)
            at = frame + master.latency_frames - kept_from
            _judge_join(found, kept, at, f"join at {frame / RATE:.2f} s", short)
            if before == after:
                beats = np.diff(bare.beats(frame - 2 * RATE, frame + RATE)) / RATE
                found.off_beat_s.append(float(np.max(np.abs(beats - 60.0 / after))))
        found.resident_mb.append(measure.rss_mb())
        if minute % 30 == 29:
            low, high = min(found.minutes_lufs), max(found.minutes_lufs)
            so_far = f"{minute + 1} minutes, {len(found.steps_lu)} joins, {low:.2f} to {high:.2f} LUFS"
            print(f"{so_far}, {found.resident_mb[-1]:.0f} MB", flush=True)
    return found


def _judge_join(found: Hours, kept: Samples, at: int, name: str, meter: Any) -> None:
    """Measure the join at frame ``at`` of ``kept``."""
    step = _level(meter, kept[at : at + RATE]) - _level(meter, kept[at - RATE : at])
    found.steps_lu.append(step)
    found.long_steps_lu.append(_level(meter, kept[at : at + 3 * RATE]) - _level(meter, kept[at - 3 * RATE : at]))
    wrong = estimators.clicks(kept[at - RATE // 2 : at + RATE // 2], RATE)
    found.clicks_at_joins += len(wrong)
    if wrong or abs(step) > MOST_STEP_LU:
        print(f"{name}: step {step:.2f} LU, clicks at {[round(c - 0.5, 3) for c in wrong]}", flush=True)


def _motifs(stream: SynthStream) -> set[str]:
    """The motifs of the piece on air."""
    spec = stream._programme.spec
    assert spec is not None
    return {melody.motif_name(s.motif) for s in spec.sections if s.motif}


def _level(meter: Any, samples: Samples) -> float:
    """Loudness of a stretch as a whole."""
    return float(meter.integrated_loudness(samples.astype(np.float64)))
