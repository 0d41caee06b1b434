"""Measures the embedded engine: speed, profile, first sound, memory of five stations: ``make bench-synth``.

One core, mastering included: one prompt with all parts on (keys, bass, drums, lead, pad, rain, crackle), and a minute
of each of eight kinds of prompts, five times, each in a process of its own. ``--parts`` chooses among the parts, which
take six minutes together. With ``--hours 6`` it also plays a programme of that length (of ``--prompt`` and ``--seed``)
and judges gaps, levels, joins, motifs and memory;
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
from lullwave.server.process.run import keep_heap_small  # noqa: E402

PROMPT = "warm lo-fi with rhodes, flute, pads, upright bass and dusty drums on a rainy night"
KINDS = (
    "lofi beats",
    "rainy night piano",
    "choir and violin",
    "dance music with brass section",
    "mellow lo-fi with rhodes and upright bass",
    "jazz quartet with saxophone",
    "harp and strings",
    "synthwave",
)
PARTS = ("clips", "kinds", "start", "stations", "profile")
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
MINUTE = """
import sys, time
from bench.embedded import synth
words = sys.argv[1]
began = time.process_time()
print(synth.render(synth.SynthEngine(), 1, 60.0, prompt=words), 60.0 / (time.process_time() - began))
"""


def say(words: str) -> None:
    """Tell what is measured now."""
    print(f"[{time.strftime('%H:%M:%S')}] {words}", flush=True)


def render(engine: SynthEngine, seed: int, seconds: float, mastered: bool = True, prompt: str = PROMPT) -> float:
    """Seconds of music per second of work."""
    stream, master = engine.stream(Request(prompt=prompt, seed=seed)), Master(RATE, 2)
    began = time.perf_counter()
    while stream.position < seconds * RATE:
        block = stream.read(RATE // 4)
        if mastered:
            master.process(block)
    return seconds / (time.perf_counter() - began)


def clips(warm: SynthEngine) -> list[dict[str, float | str]]:
    """The speed of ``PROMPT`` with fresh and with known notes, in turns; ``warm`` knows them afterwards."""
    endless = SynthEngine()
    seconds = measure.alternate(
        {
            "fresh engine, mastered": lambda: render(SynthEngine(), 1, CLIP_S),
            "known notes, mastered": lambda: render(warm, 1, CLIP_S),
            "known notes, not mastered": lambda: render(endless, 1, CLIP_S, mastered=False),
        },
        repeats=5,
    )
    medians = {name: measure.median(walls) for name, walls in seconds.items()}
    return [
        {"what": name, "times real time": CLIP_S / wall, "ms a second": 1000 * wall / CLIP_S}
        for name, wall in medians.items()
    ]


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


def minute_of(prompt: str) -> tuple[float, float]:
    """Times real time of a minute in a new process, its imports apart: by the clock and by the processor's time."""
    command = [sys.executable, "-c", MINUTE, prompt]
    wall, cpu = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(wall), float(cpu)


def kinds(rounds: int) -> list[dict[str, float | str]]:
    """The median speed of a minute of each of ``KINDS``, each time in a new process, in turns."""
    speeds: dict[str, list[tuple[float, float]]] = {prompt: [] for prompt in KINDS}
    for n in range(rounds):
        say(f"a minute of each of {len(KINDS)} prompts in new processes, round {n + 1} of {rounds}")
        for prompt in KINDS:
            speeds[prompt].append(minute_of(prompt))
    rows: list[dict[str, float | str]] = []
    for prompt, found in speeds.items():
        walls, cpus = zip(*found, strict=True)
        wall = measure.median(walls)
        rows.append(
            {
                "what": prompt, "times real time": wall, "least": min(walls), "most": max(walls),
                "ms a second": 1000 / wall, "by CPU time": measure.median(cpus),
            }
        )  # fmt: skip
    return rows


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
            for second in range(int(seconds)):
                time.sleep(1.0)
                resident.append(measure.rss_mb(server.pid))
                if second % 15 == 14:
                    say(f"five stations: {resident[-1]:.0f} MB after {second + 1} of {seconds:.0f} s")
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
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure (all)")
    parser.add_argument("--stations-s", type=float, default=SERVED_S, help="how long five stations are heard")
    parser.add_argument("--only-hours", action="store_true", help="nothing but the long programme")
    parser.add_argument("--prompt", default="", help="what the long programme plays")
    parser.add_argument("--rounds", type=int, default=5, help="times that each kind of prompt is rendered (5)")
    parser.add_argument("--seed", type=int, default=11, help="seed of the long programme")
    arguments = parser.parse_args()
    if arguments.only_hours:
        keep_heap_small()  # as every server does
        hours(SynthEngine(), arguments.hours or 6.0, arguments.prompt, arguments.seed)
        return
    say("waiting for a quiet machine")
    load = measure.wait_until_quiet()
    rows: list[dict[str, float | str]] = []
    facts: dict[str, float] = {}
    warm = SynthEngine()
    if "clips" in arguments.parts:
        say(f"18 clips of {CLIP_S} s")
        rows += clips(warm)
    if "kinds" in arguments.parts:
        rows += kinds(arguments.rounds)
    if "start" in arguments.parts:
        say("five cold starts")
        colds = [cold_start() for _ in range(5)]
        facts["cold_first_second_s"], facts["cold_minute_s"] = (
            measure.median(values) for values in zip(*colds, strict=True)
        )
    if "stations" in arguments.parts:
        facts["five_stations_mb"], facts["five_stations_peak_mb"] = five_stations(arguments.stations_s)
    measure.report("synth", rows, load=load, **facts)
    if "profile" in arguments.parts:
        profile(warm, arguments.lines)
    if arguments.hours:
        hours(warm, arguments.hours, arguments.prompt, arguments.seed)


if __name__ == "__main__":
    main()
