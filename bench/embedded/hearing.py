"""Listens to the default station's MP3 from outside and finds what was missing.

An ``Ear`` records every byte with its time of arrival, and every event. ``heard`` then simulates the simplest player:
it plays from the first byte on, by the clock, and waits when there is nothing. Waiting counts as a gap, and so does a
run of decoded sound below -60 dBFS. The recording is also compared with the station's own count of frames: the server
tells a second listener its first frame, and that listener's bytes must lie in the recording at that frame.
"""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from lullwave.audio import Samples
from lullwave.codecs import FrameSplitter, decode, mp3_frames

from ..radio.players import RATE, first_frame, opened, told
from .estimators import clicks, longest_gap_s, loudness_lufs

MP3_FRAME = 1152
CROSSFADE_S = 2.0
LEAD = 2  # silent MP3 frames at the beginning
AGAIN_S = 0.25


@dataclass
class Connection:
    """The bytes of one connection."""

    data: bytearray = field(default_factory=bytearray)
    came: list[tuple[float, int]] = field(default_factory=list)  # (time, bytes received until then)


@dataclass(frozen=True)
class Told:
    """One server-sent event."""

    at: float
    kind: str
    data: Any


@dataclass(frozen=True)
class Heard:
    """The measures of what a listener heard since a moment."""

    seconds: float
    gap_s: float  # longest time in which a player had nothing to play
    quiet_s: float  # longest run of decoded sound below -60 dBFS
    lost_samples: int
    missing_samples: int | None  # by the station's count of frames; None if the station restarted
    joins: int
    step_lu: float | None  # largest loudness step at a join
    long_step_lu: float | None  # the same between three seconds before and after a crossfade
    usual_step_lu: float  # 95th percentile of the steps within the same music
    clicks: int


class Ear(threading.Thread):
    """Listens from ``start`` to ``stop``; reconnects after AGAIN_S when it is disconnected."""

    def __init__(self, port: int, name: str = "ear") -> None:
        super().__init__(name=name, daemon=True)
        self.port = port
        self.connections: list[Connection] = []
        self.events: list[Told] = []
        self.stopped = threading.Event()
        self._watching = threading.Thread(target=self._watch, name=f"{name}-events", daemon=True)

    def run(self) -> None:
        self._watching.start()
        while not self.stopped.is_set():
            try:
                reply = opened(self.port, f"/stream.mp3?listener={self.name}")
                one = Connection()
                self.connections.append(one)
                while (part := reply.read1(65536)) and not self.stopped.is_set():
                    one.data += part
                    one.came.append((time.monotonic(), len(one.data)))
                reply.close()
            except (OSError, http.client.HTTPException):
                pass
            self.stopped.wait(AGAIN_S)

    def _watch(self) -> None:
        while not self.stopped.is_set():
            try:
                for kind, data in told(self.port, self.name):
                    if kind != "bands":
                        self.events.append(Told(time.monotonic(), kind, data))
                    if self.stopped.is_set():
                        return
            except (OSError, http.client.HTTPException, ValueError):
                pass
            self.stopped.wait(AGAIN_S)

    def stop(self) -> None:
        self.stopped.set()
        self.join(10)

    def airs(self) -> str:
        """The source of the piece on air; empty before the first."""
        told = [one.data for one in self.events if one.kind == "piece"]
        return str(told[-1].get("source") or "engine") if told else ""

    def rungs(self, since: float) -> list[str]:
        """The fallback tiers that the station was on, starting with the one at ``since``."""
        found: list[str] = []
        for one in list(self.events):
            if one.kind == "rung":
                if one.at < since:
                    found.clear()
                if not found or found[-1] != one.data["rung"]:
                    found.append(one.data["rung"])
        return found

    def heard(self, since: float) -> Heard:
        """Measure the recording, while the station is still on air."""
        missing = self.missing() if len(self.connections) == 1 else None
        gap_s, lost_s = self.waited(since)
        quiet_s, clicked = 0.0, 0
        steps: list[float] = []
        long_steps: list[float] = []
        usual: list[float] = []
        for one in list(self.connections):
            if not one.data:
                continue
            whole = mp3_frames(bytes(one.data[: _whole(one.data)]))
            samples = decode(b"".join(whole)).samples
            quiet_s = max(quiet_s, longest_gap_s(samples, RATE))
            if one is not self.connections[-1]:
                continue
            first = first_frame(self.port, self.name) or 0
            places = [frame - first for frame in self.joins(since)]
            near = {n for place in places for n in range(place // RATE - 2, place // RATE + 5)}
            levels = [loudness_lufs(samples[n * RATE : (n + 1) * RATE], RATE) for n in range(len(samples) // RATE)]
            usual = [abs(b - a) for n, (a, b) in enumerate(pairwise(levels)) if n not in near]
            for place in places:
                long_steps += _long_step(samples, place)
                for at in (place, place + round(CROSSFADE_S * RATE)):
                    if RATE <= at <= len(samples) - RATE:
                        before, after = samples[at - RATE : at], samples[at : at + RATE]
                        steps.append(abs(loudness_lufs(after, RATE) - loudness_lufs(before, RATE)))
                        clicked += len(clicks(samples[at - RATE // 2 : at + RATE // 2], RATE))
        return Heard(
            seconds=round(time.monotonic() - since, 1),
            gap_s=round(gap_s, 3),
            quiet_s=round(quiet_s, 4),
            lost_samples=round(lost_s * RATE),
            missing_samples=missing,
            joins=len(self.joins(since)),
            step_lu=round(max(steps), 2) if steps else None,
            long_step_lu=round(max(long_steps), 2) if long_steps else None,
            usual_step_lu=round(float(np.percentile(usual, 95)), 2) if usual else 0.0,
            clicks=clicked,
        )

    def joins(self, since: float) -> list[int]:
        """The frames at which another source begins, or a new stream within a piece."""
        pieces = [one for one in self.events if one.kind == "piece"]
        frames = []
        for before, after in pairwise(pieces):
            due = before.data["frame"] + (before.data.get("frames") or 0)
            other = before.data.get("source") != after.data.get("source") or after.data["frame"] < due - RATE
            if other and after.at >= since:
                frames.append(after.data["frame"])
        return frames

    def waited(self, since: float) -> tuple[float, float]:
        """The longest wait of a player and the sum of its waits, in seconds; only those that end after ``since``."""
        longest = total = 0.0
        until: float | None = None  # when it has played everything received so far
        for one in list(self.connections):
            had = 0
            for at, size in one.came:
                fresh_s = mp3_seconds(one.data, had, size)
                had = size
                if until is None:
                    until = at
                if at > until:
                    if at >= since:
                        longest, total = max(longest, at - until), total + at - until
                    until = at
                until += fresh_s
        return longest, total

    def missing(self) -> int:
        """Samples that the station aired and the recording lacks, by the first frame of a second listener."""
        one = self.connections[0]
        begun = first_frame(self.port, self.name)
        reply = opened(self.port, "/stream.mp3?listener=check")
        got = b""
        while len(got) < 60_000:
            got += reply.read1(65536)
        theirs = first_frame(self.port, "check")
        reply.close()
        time.sleep(1.0)  # until the last bytes are in the recording
        frames = mp3_frames(got[: _whole(got)])
        sound = b"".join(frames[LEAD : LEAD + 10])
        at = one.data.find(sound)
        if at < 0 or begun is None or theirs is None:
            raise RuntimeError("what a second listener was sent is not in the recording")
        ours = begun + len(mp3_frames(bytes(one.data[:at]))) * MP3_FRAME
        return theirs + LEAD * MP3_FRAME - ours


def _long_step(samples: Samples, place: int) -> list[float]:
    after = place + round(CROSSFADE_S * RATE)
    if not 3 * RATE <= place <= after <= len(samples) - 3 * RATE:
        return []
    before = loudness_lufs(samples[place - 3 * RATE : place], RATE)
    return [abs(loudness_lufs(samples[after : after + 3 * RATE], RATE) - before)]


def mp3_seconds(data: bytearray, start: int, stop: int) -> float:
    """Duration of a part of a stream with constant bit rate, in seconds."""
    kbps = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)[data[2] >> 4]
    return (stop - start) / (kbps * 125)


def _whole(data: bytes | bytearray) -> int:
    """The end of the last whole MP3 frame."""
    splitter = FrameSplitter()
    splitter.feed(bytes(data))
    return len(data) - splitter.pending
