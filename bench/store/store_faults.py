"""Kills and stops the servers of a shared store and the store itself, while people listen, and counts lost samples.

Five processes: three web servers that make no music, and two servers that may; over a directory, moto's S3 server
and, where it is installed, Ceph's. The listeners are spread over the web servers; all that they receive is kept with
its time. Afterwards it is decoded and compared with the programme in the store. ``lost``: samples of the programme
that a listener of a surviving server did not get, or got twice or in another place; one listener of each server is
decoded, ``missing`` are the bytes that the others lack of that one's. ``silent_s``: longest time for which a player
that starts at the first byte has nothing to play. ``takeover_s``: from the fault until another process has written a
segment. ``least_ahead_s``: the least that was written ahead. ``runs_apart``: places at which the programme went on
later than it should have.
"""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lullwave.codecs import decode
from lullwave.segments.reader import SegmentReader
from lullwave.station import RATE
from lullwave.storage.objects import open_store

from ..measure import other_load, report
from ..radio.recorded_crowd import RecordedCrowd, missing_bytes
from .store_scene import STATION, Watch, Web
from .stores import INSTALLED, STORES, Scene

KBPS = 192
OUTAGE_S = 20.0  # how long a store stalls or refuses writes
STOPPED_S = 14.0  # how long a producer is stopped
FILL_S = 60.0  # longest wait until the programme is written ahead
NEARLY_S = 3.0  # by which what is written ahead is less, between two segments
AFTER_S = 26.0  # how long everybody listens after the fault: longer than what was written ahead
SKIPPED_S = 0.5  # at the beginning of a stream, where decoders settle
COMPARED_S = 0.5  # length of the pieces that are compared
ALIKE = 0.9  # least correlation with the programme: MP3 keeps more, other music much less
SILENT = 1e-6  # mean square
SEARCHED_S = 1.0  # how far a piece that is not in its place is searched


class Faults:
    """The servers, and what is done to them."""

    def __init__(self, scene: Scene, producers: list[Web], webs: list[Web]) -> None:
        self.scene, self.producers, self.webs = scene, producers, webs

    @property
    def producer(self) -> Web:
        """The server that makes the music."""
        return next(one for one in self.producers if one.produces)

    def producer_killed(self) -> None:
        self.producer.end(signal.SIGKILL)

    def producer_stopped(self) -> None:
        stopped = self.producer.process
        assert stopped is not None
        stopped.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        stopped.send_signal(signal.SIGCONT)

    def web_killed(self) -> None:
        self.webs[-1].end(signal.SIGKILL)
        self.webs[-1].killed = True

    def store_stalls(self) -> None:
        with self.scene.stalling():
            time.sleep(OUTAGE_S)

    def store_refuses_writes(self) -> None:
        with self.scene.refusing():
            time.sleep(OUTAGE_S)


FAULTS: dict[str, Callable[[Faults], None]] = {
    "producer killed (-9)": Faults.producer_killed,
    "producer stopped, then continued": Faults.producer_stopped,
    "web server killed (-9)": Faults.web_killed,
    "store stalls": Faults.store_stalls,
    "store refuses writes": Faults.store_refuses_writes,
}


def main() -> None:
    """Run the faults one after the other; print each as it ends, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=STORES, nargs="+", default=INSTALLED)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="faults whose name has one of these in it")
    parser.add_argument("--listeners", type=int, default=100)
    parser.add_argument("--ahead", type=float, default=24.0, help="the servers' store_ahead_s")
    given = parser.parse_args()
    chosen = [name for name in FAULTS if not given.only or any(word in name for word in given.only)]
    load = other_load()
    rows = suffered_all(given.store, chosen, partial(suffered, listeners=given.listeners, ahead_s=given.ahead))
    facts = {"listeners": given.listeners, "outage_s": OUTAGE_S, "ahead_s": given.ahead}
    report("store faults", rows, other_load=round(load, 2), **facts)


def suffered_all(
    stores: list[str], faults: list[str], suffered: Callable[[type[Scene], str, Path], dict[str, Any]]
) -> list[dict[str, Any]]:
    """A row for each store and fault, printed as it ends."""
    rows = []
    for store in stores:
        for name in faults:
            with tempfile.TemporaryDirectory() as folder:
                row = {"store": store, "fault": name, **suffered(STORES[store], name, Path(folder))}
            print(json.dumps(row), flush=True)
            rows.append(row)
    return rows


def suffered(store: type[Scene], name: str, folder: Path, listeners: int, ahead_s: float) -> dict[str, Any]:
    """Let everybody listen, cause the fault, and compare what was heard with the programme."""
    scene = store(folder)
    with scene.running():
        flags = ("--store-ahead-s", str(ahead_s))
        producers = [Web(folder, f"producer-{n}", scene, True, *flags) for n in (1, 2)]
        webs = [Web(folder, f"web-{n}", scene, False, *flags) for n in (1, 2, 3)]
        try:
            for one in (*producers, *webs):
                one.start()
            crowds = {web: RecordedCrowd(web.port, -(-listeners // len(webs))) for web in webs}
            for crowd in crowds.values():
                crowd.start()
            watch = Watch(scene.url)
            wait_for(lambda: bool(watch.looks) and watch.looks[-1][3] > ahead_s - NEARLY_S)
            time.sleep(2.0)
            before, began = watch.looks[-1], time.monotonic()
            FAULTS[name](Faults(scene, producers, webs))
            time.sleep(AFTER_S)
            for crowd in crowds.values():
                crowd.stop()
            watch.stop()
            ended = time.monotonic()
            programme = read_programme(scene.url)
        finally:
            for one in (*producers, *webs):
                if one.process is not None:
                    one.process.send_signal(signal.SIGCONT)
                one.end(signal.SIGKILL)
    taken = next((at - began for at, epoch, next_, _ in watch.looks if epoch > before[1] and next_ > before[2]), None)
    surviving = [crowds[web].recordings for web in webs if web.process is not None and not web.killed]
    everybody = [one for recordings in surviving for one in recordings]
    decoded = [decode(bytes(recordings[0].data)).samples[:, 0] for recordings in surviving]
    return {
        "listeners": len(everybody),
        "hung_up": sum(one.ended for one in everybody),
        "lost": max(misplaced(sound, programme) for sound in decoded),
        "missing": sum(missing_bytes(recordings) for recordings in surviving),
        "decoded_s": round(min(map(len, decoded)) / RATE, 1),
        "silent_s": round(max(one.silent_s(began, ended - 1.0, KBPS * 125) for one in everybody), 2),
        "takeover_s": None if taken is None else round(taken, 1),
        "least_ahead_s": round(min(ahead for at, _, _, ahead in watch.looks if at >= began), 1),
        "epochs": watch.manifest.epoch,
        "runs_apart": sum(
            abs(watch.manifest.air(run.first - 1) + 2.0 - run.wall) > 0.01 for run in watch.manifest.runs[1:]
        ),
    }


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds.

    Raises:
        RuntimeError: it does not within ``FILL_S``.
    """
    until = time.monotonic() + FILL_S
    while not holds():
        if time.monotonic() > until:
            raise RuntimeError("the programme was not written ahead")
        time.sleep(0.1)


def read_programme(url: str) -> np.ndarray:
    """All sound in the store from frame 0 on, (T,): the left channel."""
    segments = list(SegmentReader(open_store(url), STATION).ready())
    assert segments[0].number == 0, "the beginning is still kept"
    return np.concatenate([segment.audio.samples[:, 0] for segment in segments])


def misplaced(sound: np.ndarray, programme: np.ndarray) -> int:
    """How many samples of a listener's sound are not those that follow in the programme, once it has begun."""
    step, skipped, lost = round(COMPARED_S * RATE), round(SKIPPED_S * RATE), 0
    shift = place(sound[skipped : skipped + 8 * step], programme)
    if shift is None:
        raise RuntimeError("what was heard is not in the store")
    shift -= skipped
    for at in range(skipped, len(sound) - step, step):
        heard, frame = sound[at : at + step], at + shift
        if alike(heard, programme[frame : frame + step]) >= ALIKE:
            continue
        begin = max(0, frame - round(SEARCHED_S * RATE))
        found = place(heard, programme[begin : frame + round(SEARCHED_S * RATE) + step])
        if found is None:
            lost += step
        else:
            lost, shift = lost + abs(begin + found - frame), begin + found - at
    return lost


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two sounds of one length; 1 for two that are silent, 0 if only one of them is."""
    if len(one) != len(other):
        return 0.0
    softer, louder = sorted(float(np.dot(sound, sound)) / max(1, len(sound)) for sound in (one, other))
    if softer <= SILENT:
        return float(louder <= 4 * SILENT)
    return float(np.dot(one, other)) / (len(one) * float(np.sqrt(softer * louder)))


def place(heard: np.ndarray, area: np.ndarray) -> int | None:
    """Where a sound is in a longer one; None if it is not there."""
    size = 1 << (len(area) + len(heard)).bit_length()
    found = np.fft.irfft(np.fft.rfft(area, size) * np.conj(np.fft.rfft(heard, size)))[: len(area) - len(heard) + 1]
    energy = np.concatenate([[0.0], np.cumsum(np.square(area, dtype=np.float64))])
    at = int(np.argmax(found / np.sqrt(1e-6 + energy[len(heard) :] - energy[: len(area) - len(heard) + 1])))
    return at if alike(heard, area[at : at + len(heard)]) >= ALIKE else None


if __name__ == "__main__":
    main()
