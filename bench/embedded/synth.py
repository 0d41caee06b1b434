"""Measures the embedded engine: speed, profile, first sound, memory of five stations: ``make bench-synth``.

One core, mastering included, all parts on (keys, bass, drums, lead, pad, rain, crackle). With ``--hours 6`` it also
plays a programme of that length (of ``--prompt`` and ``--seed``) and judges gaps, levels, joins, motifs and memory;
``--only-hours`` skips the rest. Exits with 1 if the hours miss a bar.
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
from typing import Any

from bench import measure

measure.pin(1)

from bench.converter.spectrogram_bars import judge  # noqa: E402
from bench.embedded import synth_hours  # noqa: E402
from lullwave.engines.synth.engine import SynthEngine  # noqa: E402
from lullwave.mastering import Master  # noqa: E402
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
    """Seconds of music per second of work."""
    stream, master = engine.stream(Request(prompt=PROMPT, seed=seed)), Master(RATE, 2)
    began = time.perf_counter()
    while stream.position < seconds * RATE:
        block = stream.read(RATE // 4)
        if mastered:
            master.process(block)
    return seconds / (time.perf_counter() - began)


def profile(engine: SynthEngine, lines: int) -> None:
    """The time of one clip by function."""
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


def hours(engine: SynthEngine, length_h: float, prompt: str, seed: int) -> None:
    """Play and judge a long programme; exit with 1 if a bar is missed."""
    found = synth_hours.play(engine, length_h, prompt, seed)
    measure.report("synth-hours", found.rows(), prompt=prompt, seed=seed)
    judge(found.bars())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=0.0, help="also play this long a programme")
    parser.add_argument("--lines", type=int, default=20, help="lines of the profile")
    parser.add_argument("--only-hours", action="store_true", help="nothing but the long programme")
    parser.add_argument("--prompt", default="", help="what the long programme plays")
    parser.add_argument("--seed", type=int, default=11, help="seed of the long programme")
    arguments = parser.parse_args()
    if arguments.only_hours:
        hours(SynthEngine(), arguments.hours or 6.0, arguments.prompt, arguments.seed)
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
    )
    profile(warm, arguments.lines)
    if arguments.hours:
        hours(warm, arguments.hours, arguments.prompt, arguments.seed)


if __name__ == "__main__":
    main()
