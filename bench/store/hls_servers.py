"""A listener of HLS who asks another server of a store each time, while one of them is killed and started again.

Two web servers and a producer share a directory. ``lost_frames``: frames of the programme that are missing in what was
heard; ``lag``: frames by which it is late, by correlation with the store's sound. ``join_db``: mean error of the two
packets around a join of segments, against that of all others. ``other_bytes``: segments of which the servers gave
different bytes; ``missing``: files that were listed and not given. Needs the extra ``media``.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from datetime import datetime

import numpy as np

from lullwave.audio import Samples
from lullwave.codecs.fragmented_mp4 import PACKET_FRAMES
from lullwave.segments.reader import SegmentReader
from lullwave.segments.segment import SEGMENT_FRAMES as STORED_FRAMES
from lullwave.server.hls.playlists import PACKETS, SEGMENT_FRAMES
from lullwave.station import RATE
from lullwave.storage.objects import open_store

from ..hls.hls_sound import decoded, lag
from ..measure import report
from ..radio.serving import lullwave

STATION = "piano"
POLL_S = 2.0
ANSWER_S = 15.0
_LISTED = re.compile(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)\n#EXTINF:[0-9.]+,\n(\S+)")


class Client:
    """Asks the servers in turn."""

    def __init__(self, ports: list[int], kbps: int) -> None:
        self.ports, self.kbps = ports, kbps
        self.files: dict[str, bytes] = {}  # by name, as they were listed; the header first
        self.dates: dict[str, float] = {}
        self.missing = self.other_bytes = self._asked = 0

    def poll(self) -> None:
        """Get a playlist, and the segments that it lists and that are new."""
        text = (self._get(f"{self.kbps}.m3u8?listener=bench") or b"").decode()
        header = re.search(r'EXT-X-MAP:URI="([^"]+)"', text)
        for name in [*([header[1]] if header else []), *(name for _, name in _LISTED.findall(text))]:
            if name not in self.files:
                given = [self._get(name) for _ in self.ports]
                self.missing += given.count(None)
                self.other_bytes += len({data for data in given if data is not None}) > 1
                self.files[name] = next((data for data in given if data is not None), b"")
        for date, name in _LISTED.findall(text):
            self.dates.setdefault(name, datetime.fromisoformat(date).timestamp())

    def _get(self, name: str) -> bytes | None:
        port = self.ports[self._asked % len(self.ports)]
        self._asked += 1
        try:
            address = f"http://127.0.0.1:{port}/stations/{STATION}/hls/{name}"
            with urllib.request.urlopen(address, timeout=ANSWER_S) as reply:
                data: bytes = reply.read()
                return data
        except urllib.error.HTTPError:
            return None


def main() -> None:
    """Run the comparison and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = f"file://{folder}/store"
        serve = ["--store", url, "--seed", "1"]
        stack.enter_context(lullwave(f"{folder}/producer", *serve))
        _, port = stack.enter_context(lullwave(f"{folder}/one", *serve, "--no-produce"))
        killed, other = stack.enter_context(lullwave(f"{folder}/two", *serve, "--no-produce"))
        clients = [Client([port, other], 160), Client([port, other], 64)]
        play(clients, given.seconds / 2)
        killed.kill()
        for client in clients:
            client.ports = [port]
        play(clients, given.seconds / 4)
        _, other = stack.enter_context(lullwave(f"{folder}/two", *serve, "--no-produce"))
        for client in clients:
            client.ports = [port, other]
        play(clients, given.seconds / 4)
        report("hls servers", [row(client, url) for client in clients])


def play(clients: list[Client], seconds: float) -> None:
    """Listen for a while."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for client in clients:
            client.poll()
        time.sleep(POLL_S)


def row(client: Client, url: str) -> dict[str, float]:
    """What a client heard, compared with what the store holds."""
    numbers = [int(name.rpartition("-")[2].removesuffix(".m4s")) for name in client.dates]
    heard = decoded(client.files.values())
    reader = SegmentReader(open_store(url), STATION)
    manifest = reader.manifest()
    assert manifest is not None
    assert manifest.first == 0
    frame = manifest.frame_at(min(client.dates.values()) + 1e-3)
    assert frame is not None
    begin = round((frame - 1e-3 * RATE) / SEGMENT_FRAMES) * SEGMENT_FRAMES
    made = programme(reader)[begin:][: len(heard)]
    error = np.square(heard - made).mean(axis=1)[PACKET_FRAMES:]  # the first packet lacks the one before it
    packets = error.reshape(-1, PACKET_FRAMES).mean(axis=1)
    joins = np.isin((np.arange(len(packets)) + 1) % PACKETS, (PACKETS - 1, 0))
    return {
        "kbps": client.kbps,
        "segments": len(numbers),
        "missing": client.missing,
        "other_bytes": client.other_bytes,
        "lost_frames": (max(numbers) - min(numbers) + 1) * SEGMENT_FRAMES - len(heard),
        "lag": lag(heard[RATE:], made[RATE:]),
        "error_db": round(float(10 * np.log10(error.mean() / np.square(made).mean())), 1),
        "join_db": round(float(10 * np.log10(packets[joins].mean() / packets[~joins].mean())), 2),
    }


def programme(reader: SegmentReader) -> Samples:
    """All that the store holds, (T, 2)."""
    parts = [segment.audio.samples for segment in reader.ready()]
    assert all(len(part) == STORED_FRAMES for part in parts)
    return np.concatenate(parts)


if __name__ == "__main__":
    main()
