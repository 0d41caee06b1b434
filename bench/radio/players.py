"""Plays our stream with real players and a relay for two minutes: are there breaks, and are the titles right?

Everything is counted in the station's frames. A recording of the plain stream, whose first frame the server tells,
identifies each MP3 frame. ``title_late_s`` is the delay of each new title (negative: early) against the first frame of
its piece: for ``bytes`` by the title's place in the stream, for a player by what it showed at the position of its own
clock. Players that are not installed are skipped and listed.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..measure import report
from .serving import free_port, icecast, lullwave

RATE = 44100
MP3_FRAME = 1152
QUIET = 1.0  # mean square of 16-bit samples: -90 dBFS
PROBE_S = 3.0  # seconds until a player has started
BEFORE_END_S = 80.0  # players start when at most this much of the piece is left, so that each gets a new title
PROGRAMS = {"mpv": "mpv", "VLC": "cvlc", "ffmpeg": "ffmpeg", "Icecast": "icecast2"}


class Station(threading.Thread):
    """The station: its pieces by frames, and a recording of its plain MP3."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.pieces: dict[str, tuple[int, int]] = {}  # title → first frame, frames
        self.first = 0  # station frame of the recording's beginning
        self.recording = bytearray()

    def run(self) -> None:
        listening = threading.Thread(target=self._record, daemon=True)
        for kind, data in told(self.port, "bench"):
            if kind == "hello":
                listening.start()
            elif kind == "piece":
                self.pieces[data["title"]] = data["frame"], data["frames"]
            elif kind == "first":
                self.first = data["frame"]

    def left_s(self) -> float:
        """Seconds until the newest piece ends."""
        if not self.pieces or not self.recording:
            return 1e9
        begin, frames = max(self.pieces.values())
        on_air = self.first + len(self.recording) / self.bytes_per_s * RATE
        return (begin + frames - on_air) / RATE

    bytes_per_s = 192_000 / 8

    def frame_of(self, sound: bytes) -> int | None:
        """The station frame at which a run of bytes begins; None for bytes that were never sent."""
        at = self.recording.find(sound)
        return None if at < 0 else self.first + round(at / self.bytes_per_s * RATE)

    def _record(self) -> None:
        reply = opened(self.port, "/stream.mp3?listener=bench")
        while part := reply.read1(65536):
            self.recording += part


class Row:
    """The result of one player."""

    def __init__(self, name: str, station: Station) -> None:
        self.name = name
        self.station = station
        self.played_s = 0.0
        self.breaks = 0
        self._late_s: dict[str, float] = {}

    def shows(self, title: str, frame: float) -> None:
        """Note that a title was shown at ``frame``; the first one, in the middle of a piece, does not count."""
        piece = self.station.pieces.get(title)
        if piece is not None and piece[0] > self.station.first:
            self._late_s.setdefault(title, (frame - piece[0]) / RATE)

    def json(self) -> dict[str, Any]:
        late = ", ".join(f"{late:+.2f}" for late in self._late_s.values())
        return {"player": self.name, "played_s": round(self.played_s, 1), "breaks": self.breaks, "title_late_s": late}


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    seconds = parser.parse_args().seconds
    have = {name for name, program in PROGRAMS.items() if shutil.which(program)}
    for name in sorted(PROGRAMS.keys() - have):
        print(f"{name} is not installed ({PROGRAMS[name]}) and left out")
    with tempfile.TemporaryDirectory() as folder, lullwave(folder) as (_, port):
        station = Station(port)
        station.start()
        wait_for(lambda: 10.0 < station.left_s() < BEFORE_END_S, 300.0)
        rows = [_play("bytes", station, raw, port, seconds)]
        if "mpv" in have:
            rows.append(_play("mpv", station, mpv, port, seconds))
        if "VLC" in have:
            rows.append(_play("VLC", station, vlc, port, seconds))
        if "ffmpeg" in have:
            rows.append(_play("ffmpeg", station, ffmpeg, port, seconds))
        if "Icecast" in have:
            with icecast(folder, port) as (_, relay):
                rows.append(_play("bytes from Icecast", station, raw, relay, seconds))
                if "ffmpeg" in have:
                    rows.append(_play("ffmpeg from Icecast", station, ffmpeg, relay, seconds))
                for _, playing in rows:
                    playing.join()
        for _, playing in rows:
            playing.join()
    left_out = sorted(PROGRAMS.keys() - have)
    report("players", [row.json() for row, _ in rows], seconds=seconds, left_out=left_out)


def _play(
    name: str, station: Station, player: Callable[[Row, int, float], None], port: int, seconds: float
) -> tuple[Row, threading.Thread]:
    row = Row(name, station)
    playing = threading.Thread(target=player, args=(row, port, seconds), daemon=True)
    playing.start()
    return row, playing


def raw(row: Row, port: int, seconds: float) -> None:
    """Read the raw bytes: places of the titles among the MP3 frames. A break is sound that was never sent."""
    reply = opened(port, "/stream.mp3", **{"Icy-MetaData": "1"})
    step, until, got = int(reply.headers["icy-metaint"]), time.monotonic() + seconds, 0
    seen: list[tuple[str, bytes]] = []
    title, parts = "", []
    while time.monotonic() < until:
        sound = reply.read(step)
        got += len(sound)
        parts.append(sound[:1500])
        if title:
            seen.append((title, sound[:1500]))
        found = re.search(r"StreamTitle='(.*?)';", reply.read(16 * reply.read(1)[0]).decode())
        title = found[1] if found else ""
    row.played_s = got / row.station.bytes_per_s
    time.sleep(1.0)  # until the last bytes are in the recording
    row.breaks = sum(row.station.frame_of(part) is None for part in parts[1:])
    for shown, sound in seen[1:]:
        if (frame := row.station.frame_of(sound)) is not None:
            row.shows(shown, frame)


def mpv(row: Row, port: int, seconds: float) -> None:
    """mpv's own clock and title, over its socket. A break is a pause for lack of data."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mpv", "--no-config", "--no-terminal", "--no-video", "--ao=null"]
        command += [f"--input-ipc-server={folder}/mpv", f"http://127.0.0.1:{port}/stream.mp3?listener=mpv"]
        player = subprocess.Popen(command)
        try:
            wait_for(lambda: Path(f"{folder}/mpv").exists())
            talk = socket.socket(socket.AF_UNIX)
            wait_for(lambda: talk.connect_ex(f"{folder}/mpv") == 0)
            for number, name in enumerate(("time-pos", "metadata/by-key/icy-title", "paused-for-cache")):
                talk.sendall(json.dumps({"command": ["observe_property", number, name]}).encode() + b"\n")
            until, first = time.monotonic() + seconds, None
            for line in talk.makefile():
                match json.loads(line):
                    case {"name": "time-pos", "data": float(at_s)}:
                        row.played_s = at_s
                        if first is None and at_s > PROBE_S:
                            first = first_frame(port, "mpv")
                    case {"name": "metadata/by-key/icy-title", "data": str(title)} if first is not None:
                        row.shows(title, first + row.played_s * RATE)
                    case {"name": "paused-for-cache", "data": True} if row.played_s > PROBE_S:
                        row.breaks += 1
                if time.monotonic() > until:
                    break
        finally:
            player.terminate()
            player.wait(10)


def vlc(row: Row, port: int, seconds: float) -> None:
    """VLC's web interface. It tells whole seconds; the clock is interpolated from their changes."""
    web = free_port()
    command = ["cvlc", "-I", "http", "--http-host=127.0.0.1", f"--http-port={web}", "--http-password=x"]
    command += ["--aout=adummy", "--no-video", f"http://127.0.0.1:{port}/stream.mp3?listener=vlc"]
    if os.geteuid() == 0:  # VLC refuses to run as root
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "HOME=/tmp", *command]
    player = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: reachable(web))
        password = {"Authorization": "Basic " + base64.b64encode(b":x").decode()}
        until, whole, since, shown, first = time.monotonic() + seconds, 0, 0.0, None, None
        while (now := time.monotonic()) < until:
            try:
                said = json.load(opened(web, "/requests/status.json", **password))
            except ValueError:  # it is still starting
                time.sleep(0.1)
                continue
            if said.get("time", 0) != whole:
                whole, since = said["time"], now
            row.played_s = whole + now - since
            row.breaks = said.get("stats", {}).get("lostabuffers", 0)
            if first is None and whole > PROBE_S:
                first = first_frame(port, "vlc")
            title = said.get("information", {}).get("category", {}).get("meta", {}).get("now_playing")
            if title and title != shown:
                if shown and first is not None:
                    row.shows(title, first + row.played_s * RATE)
                shown = title
            time.sleep(0.1)
    finally:
        player.terminate()
        player.wait(10)


def ffmpeg(row: Row, port: int, seconds: float) -> None:
    """ffmpeg, decoding the stream. A break is an error message, or 50 ms without sound."""
    import numpy as np

    command = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "level+verbose", "-t", str(seconds)]
    command += ["-i", f"http://127.0.0.1:{port}/stream.mp3?listener=ffmpeg"]
    command += ["-ar", str(RATE), "-ac", "1", "-f", "s16le", "-"]
    player = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert player.stdout is not None
    assert player.stderr is not None
    sound = bytearray()
    complaints, titles, errors = [], [], player.stderr

    def listen() -> None:
        for line in errors:
            text = line.decode(errors="replace").strip()
            if found := re.search(r"Metadata update for StreamTitle: (.*)", text):
                titles.append((found[1], len(sound) // 2))
            elif re.search(r"\[(error|fatal)\]", text):
                complaints.append(text)

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    first = None
    while part := player.stdout.read1(65536):
        sound += part
        if first is None and len(sound) > 2 * PROBE_S * RATE and port == row.station.port:
            first = first_frame(port, "ffmpeg")
    player.wait(10)
    listening.join(10)
    heard = np.frombuffer(bytes(sound), np.int16).astype(np.float64)[RATE:]
    power = np.square(heard[: len(heard) // 2205 * 2205].reshape(-1, 2205)).mean(axis=1)
    row.played_s = len(sound) / 2 / RATE
    row.breaks = len(complaints) + int(np.sum(power < QUIET))
    for title, frames in titles[1:]:
        if first is not None:
            row.shows(title, first + frames)


def told(port: int, listener: str) -> Iterator[tuple[str, Any]]:
    """Read the events of the default station."""
    kind = ""
    for line in opened(port, f"/api/events?listener={listener}"):
        text = line.decode().rstrip()
        if text.startswith("event: "):
            kind = text[7:]
        elif text.startswith("data: "):
            yield kind, json.loads(text[6:])


def first_frame(port: int, listener: str) -> int | None:
    """The first frame that a listener was sent."""
    data = next(told(port, listener))[1]
    return None if data["first_frame"] is None else int(data["first_frame"])


def opened(port: int, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


def reachable(port: int) -> bool:
    """Tell whether a started program listens already."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Callable[[], Any], limit_s: float = 20.0) -> None:
    late = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < late, "a player did not begin"
        time.sleep(0.1)


if __name__ == "__main__":
    main()
