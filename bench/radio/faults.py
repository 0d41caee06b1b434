"""Injects faults into two servers, their network and their disk, and measures what listeners hear.

The processes are real: ``lullwave serve``, ``lullwave inference`` with the embedded engine, and a proxy between them
that disturbs the traffic. A listener decodes ``/stream.mp3`` all the time and a headless Chromium plays the page.

``gap_s``: longest time in which a player that starts at the first byte had nothing to play. ``lost``: samples lost to
gaps, or aired and sent to nobody. ``quiet_ms``: longest run of the sound below -60 dBFS. ``step_lu``: largest loudness
difference between two successive seconds where other music begins or its crossfade ends; ``usual_lu``: 95th percentile
of that difference within the same music; ``step_3s_lu``: difference between three seconds before and after a crossfade.
``clicks``: at those places. ``reserve_s``: smallest buffer. ``governed``: the buffer when the governor acted;
``asked``: the options it asked for; ``stretch_s``: shortest stretch in which the engine was heard. ``back_s``: from the
end of the fault until the engine's music is on air. ``page_s``: longest time in which the page's audio clock stood
still, sampled every 0.1 s.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..embedded.hearing import Ear
from ..measure import other_load, report
from .scenes import Scene, child_of
from .watching import Watcher, chromium
from .wires import OPEN, SILENT, Way, garbled, replaced

FILL_S = 60.0  # timeout for the buffer to fill before the fault
RETURNS_S = 150.0  # timeout for the engine to be back after it
AFTER_S = 12.0  # seconds to listen afterwards, until the last join was heard
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"

Fault = Callable[[Scene, float], None]  # called with its length in seconds; notes when it begins and ends
FAULTS: dict[str, tuple[Fault, float]] = {}  # with the length of each in seconds


def fault(name: str, lasts_s: float) -> Callable[[Fault], Fault]:
    def noted(function: Fault) -> Fault:
        FAULTS[name] = function, lasts_s
        return function

    return noted


@contextmanager
def spoilt(scene: Scene, way: Way, seconds: float) -> Iterator[None]:
    """Put the network into this condition for a while."""
    scene.began = time.monotonic()
    scene.wire.way = way
    yield
    scene.wait(seconds)
    scene.wire.way = OPEN
    scene.over = time.monotonic()


@fault("inference server killed (-9)", 30.0)
def killed(scene: Scene, seconds: float) -> None:
    scene.began = time.monotonic()
    scene.inference.end(signal.SIGKILL)
    scene.wait(seconds)
    scene.inference.start()
    scene.over = time.monotonic()


@fault("isolated engine killed (-9)", 0.0)
def isolated(scene: Scene, seconds: float) -> None:
    scene.began = scene.over = time.monotonic()
    os.kill(child_of(scene.web.pid), signal.SIGKILL)


@fault("isolated engine killed (-9) again and again", 30.0)
def mown(scene: Scene, seconds: float) -> None:
    scene.began = time.monotonic()
    while time.monotonic() < scene.began + seconds:
        with suppress(RuntimeError, ProcessLookupError):  # there is no process at the moment
            os.kill(child_of(scene.web.pid), signal.SIGKILL)
        scene.wait(1.0)
    scene.over = time.monotonic()


@fault("engine at 0.6 of real time", 90.0)
def slow(scene: Scene, seconds: float) -> None:
    scene.began = time.monotonic()
    scene.drag(0.6)
    scene.wait(seconds)
    scene.drag(1000.0)
    scene.over = time.monotonic()


@fault("engine at 0.2 of real time", 150.0)
def very_slow(scene: Scene, seconds: float) -> None:
    scene.began = time.monotonic()
    scene.drag(0.2)
    scene.wait(seconds)
    scene.drag(1000.0)
    scene.over = time.monotonic()


@fault("engine at 0.6 of real time, its smaller model at 2", 90.0)
def outsized(scene: Scene, seconds: float) -> None:
    scene.began = time.monotonic()
    scene.drag(0.6, 2.0)
    scene.wait(seconds)
    scene.drag(1000.0)
    scene.over = time.monotonic()


@fault("network cut", 120.0)
def cut(scene: Scene, seconds: float) -> None:
    with spoilt(scene, SILENT, seconds):
        pass


@fault("half-open connection", 0.0)
def half_open(scene: Scene, seconds: float) -> None:
    scene.began = scene.over = time.monotonic()
    scene.wire.forget()


@fault("30 s of latency", 45.0)
def late(scene: Scene, seconds: float) -> None:
    with spoilt(scene, Way(delay_s=30.0), seconds):
        pass


@fault("5 kB/s", 45.0)
def narrow(scene: Scene, seconds: float) -> None:
    with spoilt(scene, Way(bytes_per_s=5000.0), seconds):
        pass


@fault("garbage", 30.0)
def garbage(scene: Scene, seconds: float) -> None:
    with spoilt(scene, Way(from_server=garbled(1)), seconds):
        pass


@fault("truncated frames", 30.0)
def truncated(scene: Scene, seconds: float) -> None:
    with spoilt(scene, Way(ends_after=300_000), seconds):
        pass


@fault("another version of the protocol", 30.0)
def version(scene: Scene, seconds: float) -> None:
    with spoilt(scene, Way(to_server=replaced(b"lullwave.v1", b"lullwave.v9")), seconds):
        scene.wire.cut()


@fault("wrong token", 30.0)
def token(scene: Scene, seconds: float) -> None:
    scene.began = time.monotonic()
    scene.inference.end()
    scene.inference.start(LULLWAVE_INFERENCE_TOKEN="another")
    scene.wait(seconds)
    scene.inference.end()
    scene.inference.start()
    scene.over = time.monotonic()


@fault("disk full", 75.0)
def disk_full(scene: Scene, seconds: float) -> None:
    scene.began = time.monotonic()
    filler = scene.data / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    scene.wait(seconds)
    filler.unlink()
    scene.over = time.monotonic()


@fault("read-only library, and the inference server killed", 30.0)
def read_only(scene: Scene, seconds: float) -> None:
    killed(scene, seconds)


@fault("clock jumps by +1 h and by -2 h", 20.0)
def clock(scene: Scene, seconds: float) -> None:
    scene.began = time.monotonic()
    for jump in ("+3600s", "-3600s"):
        (scene.folder / "wall").write_text(jump)
        scene.wait(seconds)
    scene.over = time.monotonic()


@fault("web server restarted", 0.0)
def restart(scene: Scene, seconds: float) -> None:
    scene.began = time.monotonic()
    scene.web.end()
    scene.web.start()
    scene.over = time.monotonic()


DISKS = {disk_full: "rw", read_only: "ro"}


def main() -> None:
    """Run the faults one after the other and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="faults whose name has one of these in it")
    parser.add_argument("--quick", action="store_true", help="a third as long each")
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--logs", type=Path, help="keep the servers' logs in this folder")
    given = parser.parse_args()
    chosen = [name for name in FAULTS if not given.only or any(word in name for word in given.only)]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary, chromium_or_none(given.no_browser) as browser:
        for number, name in enumerate(chosen):
            folder = (given.logs or Path(temporary)) / f"{number:02d}"
            make, lasts_s = FAULTS[name]
            if make is clock and not Path(FAKETIME).exists():
                print("libfaketime is not installed: the clock does not jump")
                continue
            try:
                with prepared(make, folder, Path(temporary)) as scene:
                    lasts_s = lasts_s / 3 if given.quick else lasts_s
                    rows.append({"fault": name, "lasts_s": round(lasts_s), **suffered(scene, make, lasts_s, browser)})
            except RuntimeError as error:
                rows.append({"fault": name, "failed": str(error)})
            print(rows[-1], file=sys.stderr, flush=True)
    report("faults", rows, quick=given.quick, other_load=round(other_load(), 2))


@contextmanager
def chromium_or_none(none: bool) -> Iterator[Any]:
    if none:
        yield None
        return
    with chromium() as browser:
        yield browser


@contextmanager
def prepared(make: Fault, folder: Path, temporary: Path) -> Iterator[Scene]:
    """Start the servers for a fault. All faults except those of the disk share one library of clips."""
    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene(folder, temporary / "data")
    if make in (isolated, mown):
        scene = renewed(scene, engine="isolated:synth")
    elif make is outsized:
        scene = renewed(scene, made_with=("--option", f"smaller={folder}"))
    elif make is clock:
        (folder / "wall").write_text("+0")
        scene = renewed(
            scene,
            environment={
                "LD_PRELOAD": FAKETIME,
                "FAKETIME_TIMESTAMP_FILE": str(folder / "wall"),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            },
        )
    with small_disk(folder, temporary / "data", DISKS[make]) if make in DISKS else nothing(scene.data) as data:
        if make in DISKS:
            scene = renewed(scene, data=data)
        try:
            scene.start()
            yield scene
        finally:
            scene.end()


def renewed(scene: Scene, **changes: Any) -> Scene:
    """A copy of the scene with some fields changed, before it is started."""
    scene.wire.close()
    return replace(scene, looks=[], **changes)


@contextmanager
def nothing(data: Path) -> Iterator[Path]:
    yield data


@contextmanager
def small_disk(folder: Path, library: Path, how: str) -> Iterator[Path]:
    """Mount a disk of 16 MB that holds a copy of ``library``."""
    disk = folder / "disk"
    disk.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"a small disk cannot be mounted here: {error}") from error
    try:
        if library.exists():
            shutil.copytree(library, disk / "data")
        if how == "ro":
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True, capture_output=True)
        yield disk / "data"
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def suffered(scene: Scene, make: Fault, lasts_s: float, browser: Any) -> dict[str, Any]:
    """Listen, cause the fault, wait until the engine is back, and measure what was heard."""
    ear = Ear(scene.port)
    ear.start()
    watcher = None if browser is None else Watcher(browser, scene.port)
    try:
        scene.until(lambda look: look.reserve_s >= 22.0 and look.rung == "engine" and ear.airs() == "engine", FILL_S)
        if watcher is not None:
            watcher.begin()
        make(scene, lasts_s)
        back = scene.until(
            lambda look: (
                look.rung == "engine" and look.cause == "none" and not look.asked and look.at > scene.over + 1.0
            ),
            RETURNS_S,
        )
        scene.wait(AFTER_S)
        heard = ear.heard(scene.began)
        metrics = scene.metrics()
        stood_s = watcher.stood_still_s() if watcher is not None else None
    finally:
        if watcher is not None:
            watcher.close()
        ear.stop()
    rungs = ear.rungs(scene.began)
    return {
        "gap_s": heard.gap_s,
        "lost": heard.lost_samples + abs(heard.missing_samples or 0),
        "quiet_ms": round(heard.quiet_s * 1000, 1),
        "joins": heard.joins,
        "step_lu": heard.step_lu,
        "step_3s_lu": heard.long_step_lu,
        "usual_lu": heard.usual_step_lu,
        "clicks": heard.clicks,
        "rungs": " ".join(rungs),
        "reserve_s": min(look.reserve_s for look in scene.looks if look.at >= scene.began),
        "governed": governed(scene),
        "asked": asked(scene),
        "stretch_s": min((look.stretch_s for look in scene.looks if look.stretch_s), default=None),
        "late_s": round(metrics["lullwave_late_seconds"], 2),
        "back_s": back_s(ear, scene) if back else None,
        "page_s": stood_s,
    }


def governed(scene: Scene) -> float | None:
    """The buffer in seconds when the governor first slowed an engine down; None if it never did."""
    return next((look.reserve_s for look in scene.looks if look.at >= scene.began and look.cause == "slow"), None)


def asked(scene: Scene) -> str:
    """The options that the engine was asked for, in order."""
    told = [look.asked or "all" for look in scene.looks if look.at >= scene.began]
    return " → ".join(one for n, one in enumerate(told) if n == 0 or told[n - 1] != one)


def back_s(ear: Ear, scene: Scene) -> float:
    """Seconds from the end of the fault until the engine's music is on air."""
    away = False
    moment = scene.over
    for one in ear.events:
        if one.at < scene.began:
            continue
        if one.kind == "rung":
            away = away or one.data["rung"] in ("recycled", "embedded")
            if one.data["rung"] == "engine" and one.at > scene.over and moment == scene.over:
                moment = one.at
        elif one.kind == "piece" and away and not one.data.get("source") and one.at > scene.over:
            return round(one.at - scene.over, 1)
    return round(moment - scene.over, 1)


if __name__ == "__main__":
    main()
