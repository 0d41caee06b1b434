"""The embedded engine: speed, where the time goes, first sound, memory of five stations: ``make bench-synth``.

One core, mastering included, everything on (keys, bass, drums, lead, pad, rain, crackle). With ``--hours 6`` it also
plays that long a programme and looks for gaps, levels, joins, repeated motifs and growth of memory; ``--only-hours``
leaves the rest out.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import json
import pstats
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from statistics import median
from typing import Any

from bench import measure

measure.pin(1)

import numpy as np  # noqa: E402

from bench import estimators  # noqa: E402
from lullwave.audio import Samples  # noqa: E402
from lullwave.engines.synth import melody  # noqa: E402
from lullwave.engines.synth.engine import SynthEngine, SynthStream  # noqa: E402
from lullwave.mastering import Master  # noqa: E402
from lullwave.mastering.master import TARGET_LUFS  # noqa: E402
from lullwave.request import Request  # noqa: E402

PROMPT = "warm lo-fi with rhodes, flute, pads, upright bass and dusty drums on a rainy night"
CLIP_S = 90
SERVED_S = 150
RATE = 44100
COLD = f"""
import time; began = time.perf_counter()
from lullwave.engines import load_engine
from lullwave.request import Request
stream = load_engine("synth").stream(Request(prompt={PROMPT!r}, seed=1))
stream.read({RATE}); first = time.perf_counter()
stream.read(59 * {RATE}); print(first - began, time.perf_counter() - began)
"""


def render(engine: SynthEngine, seed: int, seconds: float, mastered: bool = True) -> float:
    """Seconds of music made by a second of work."""
    stream, master = engine.stream(Request(prompt=PROMPT, seed=seed)), Master(RATE, 2)
    began = time.perf_counter()
    while stream.position < seconds * RATE:
        block = stream.read(RATE // 4)
        if mastered:
            master.process(block)
    return seconds / (time.perf_counter() - began)


def profile(engine: SynthEngine, lines: int) -> None:
    """Where the time of one clip goes, by function."""
    watch = cProfile.Profile()
    watch.runcall(render, engine, 77, 60.0)
    found = pstats.Stats(watch)
    total = found.total_tt  # type: ignore[attr-defined]
    print(f"\nwhere the time goes (share of {total:.2f} s, own time)")
    rows = sorted(found.stats.items(), key=lambda item: -item[1][2])[:lines]  # type: ignore[attr-defined]
    for (file, _, name), (_, calls, own, _, _) in rows:
        print(f"{100 * own / total:5.1f} %  {calls:7d} calls  {'/'.join(file.split('/')[-3:])} {name}")


def cold_start() -> list[float]:
    """Seconds from importing the engine in a new process to its first second and first minute of music."""
    done = subprocess.run([sys.executable, "-c", COLD], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def five_stations(seconds: float) -> tuple[float, float]:
    """Resident MB of ``lullwave serve`` with a listener at each of its five stations: median of the last half, peak."""
    with tempfile.TemporaryDirectory() as folder:
        with socket.create_server(("127.0.0.1", 0)) as bound:
            port = bound.getsockname()[1]
        command = [sys.executable, "-m", "lullwave", "serve", "--port", str(port), "--data-dir", folder]
        server = subprocess.Popen([*command, "--log-level", "warning"])
        try:
            address = f"http://127.0.0.1:{port}"
            names = [station["id"] for station in _stations(address)]
            for name in names:
                threading.Thread(target=_listen, args=(f"{address}/stations/{name}/stream.mp3",), daemon=True).start()
            resident = []
            for _ in range(int(seconds)):
                time.sleep(1.0)
                resident.append(measure.rss_mb(server.pid))
            assert len(names) == 5
            return measure.median(resident[len(resident) // 2 :]), max(resident)
        finally:
            server.terminate()
            server.wait(10)


def _stations(address: str) -> list[dict[str, Any]]:
    ends = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{address}/api/stations") as reply:
                said = json.load(reply)
                return list(said["stations"] if isinstance(said, dict) else said)
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)


def _listen(address: str) -> None:
    with contextlib.suppress(OSError), urllib.request.urlopen(address) as stream:
        while stream.read(16384):
            pass


def hours(engine: SynthEngine, length_h: float) -> dict[str, float]:
    """A long programme, mastered: gaps, minutes off their level, joins, motifs and memory over the hours.

    The same programme is rendered without crackle beside it, which is where joins are judged.

    A join is judged by the loudness of a second on either side (and of three), by clicks in that second, and by the
    beats where both pieces have the same tempo. A motif counts as repeated when it comes in two pieces.
    """
    import pyloudnorm

    heard, heard_master = engine.stream(Request(prompt="", seed=11)), Master(RATE, 2)
    stream, master = engine.stream(Request(prompt="", seed=11, options={"crackle": False})), Master(RATE, 2)
    meter, block = pyloudnorm.Meter(RATE), pyloudnorm.Meter(RATE, block_size=0.4)
    minutes: list[float] = []
    steps: list[float] = []
    long_steps: list[float] = []
    off_beat_s: list[float] = []
    gap = run = clicked = repeated = known = 0
    motifs: set[str] = set()
    resident_mb: list[float] = []
    kept = np.zeros((0, 2), np.float32)  # the last minutes, for the joins in them
    kept_from = 0
    waiting: list[tuple[int, float, float]] = []  # joins that are not judged yet: frame, tempo before and after
    tempo = 0.0
    for minute in range(round(length_h * 60)):
        samples = np.concatenate([heard_master.process(heard.read(RATE)).samples for _ in range(60)])
        minutes.append(float(meter.integrated_loudness(samples.astype(np.float64))))
        loud = np.flatnonzero(np.abs(samples).max(axis=1) > 1e-3)
        edges = np.concatenate([[-1 - run] if minute else [], loud, [len(samples)]])
        gap = max(gap, int(np.diff(edges).max()) - 1)
        run = len(samples) - 1 - int(loud[-1]) if len(loud) else run + len(samples)
        samples = np.concatenate([master.process(stream.read(RATE)).samples for _ in range(60)])
        for mark in stream.marks(known, stream.position):
            if mark.kind == "piece":
                if tempo:
                    waiting.append((mark.frame, tempo, float(mark.data["tempo_bpm"])))
                tempo = float(mark.data["tempo_bpm"])
                names = _motifs(stream)
                repeated += len(names & motifs)
                motifs |= names
        known = stream.position
        kept = np.concatenate([kept, samples])[-150 * RATE :]
        kept_from = stream.position - len(kept)
        while waiting and waiting[0][0] + master.latency_frames + 4 * RATE < stream.position:
            frame, before, after = waiting.pop(0)
            at = frame + master.latency_frames - kept_from
            first, second = kept[at - RATE : at], kept[at : at + RATE]
            steps.append(_level(block, second) - _level(block, first))
            long_steps.append(_level(block, kept[at : at + 3 * RATE]) - _level(block, kept[at - 3 * RATE : at]))
            found = estimators.clicks(kept[at - RATE // 2 : at + RATE // 2], RATE)
            clicked += len(found)
            if found or abs(steps[-1]) > 3.0:
                where = f"{frame / RATE:.2f} s: step {steps[-1]:.2f} LU, clicks at {[round(c - 0.5, 3) for c in found]}"
                print(f"join at {where}", flush=True)
            if before == after:
                beats = stream.beats(frame - 2 * RATE, frame + RATE)
                gaps = np.diff(beats) / RATE
                off_beat_s.append(float(np.max(np.abs(gaps - 60.0 / after))))
        resident_mb.append(measure.rss_mb())
        if minute % 30 == 29:
            print(
                f"{minute + 1} minutes, {len(steps)} joins, {min(minutes[1:]):.2f} to {max(minutes[1:]):.2f} LUFS",
                flush=True,
            )
    return {
        "hours": length_h,
        "longest gap (s)": gap / RATE,
        "loudest minute (LUFS)": max(minutes[1:]),
        "quietest minute (LUFS)": min(minutes[1:]),
        "minutes off by more than 1 LU": sum(abs(m - TARGET_LUFS) > 1.0 for m in minutes[1:]),
        "joins": len(steps),
        "largest step at a join, 1 s (LU)": max(map(abs, steps), default=0.0),
        "largest step at a join, 3 s (LU)": max(map(abs, long_steps), default=0.0),
        "joins above 3 LU (1 s)": sum(abs(s) > 3.0 for s in steps),
        "clicks at joins": clicked,
        "joins of one tempo": len(off_beat_s),
        "beat off at such a join (s)": max(off_beat_s, default=0.0),
        "motifs": len(motifs),
        "motifs repeated": repeated,
        "memory, median of the first hour (MB)": median(resident_mb[5:60]),
        "memory, median of the last hour (MB)": median(resident_mb[-60:]),
    }


def _motifs(stream: SynthStream) -> set[str]:
    """The motifs of the piece that plays."""
    spec = stream._programme.spec
    assert spec is not None
    return {melody.motif_name(s.motif) for s in spec.sections if s.motif}


def _level(meter: Any, samples: Samples) -> float:
    """Loudness of a short stretch, the whole of it as one."""
    return float(meter.integrated_loudness(samples.astype(np.float64)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=0.0, help="also play this long a programme")
    parser.add_argument("--lines", type=int, default=20, help="lines of the profile")
    parser.add_argument("--only-hours", action="store_true", help="nothing but the long programme")
    arguments = parser.parse_args()
    if arguments.only_hours:
        long = hours(SynthEngine(), arguments.hours or 6.0)
        measure.report("synth-hours", [{"what": name, "value": value} for name, value in long.items()])
        return
    load = measure.wait_until_quiet()
    rows: list[dict[str, float | str]] = []
    warm, endless = SynthEngine(), SynthEngine()
    seconds = measure.alternate(
        {
            "fresh engine, mastered": lambda: render(SynthEngine(), 1, CLIP_S),
            "known notes, mastered": lambda: render(warm, 1, CLIP_S),
            "known notes, not mastered": lambda: render(endless, 1, CLIP_S, mastered=False),
        },
        repeats=5,
    )
    for name, walls in seconds.items():
        wall = measure.median(walls)
        rows.append({"what": name, "times real time": CLIP_S / wall, "ms a second": 1000 * wall / CLIP_S})
    colds = [cold_start() for _ in range(5)]
    first, minute = (measure.median(values) for values in zip(*colds, strict=True))
    awake, peak = five_stations(SERVED_S)
    measure.report(
        "synth",
        rows,
        load=load,
        cold_first_second_s=first,
        cold_minute_s=minute,
        five_stations_mb=awake,
        five_stations_peak_mb=peak,
        **({"long": hours(warm, arguments.hours)} if arguments.hours else {}),
    )
    profile(warm, arguments.lines)


if __name__ == "__main__":
    main()
