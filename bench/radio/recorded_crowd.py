"""Listeners that record every byte with its time, and what a player of each would have heard. Attacks nothing."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from lullwave.audio import Samples
from lullwave.codecs import decode

BLOCK_BYTES = 8192  # of one read
LEAD_BYTES = 2000  # a listener's first bytes are its own: two MP3 frames that fill the decoder
MATCH_BYTES = 4096  # enough to find a place in the stream


@dataclass
class Recording:
    """One listener: its bytes, and for each arrival the time and how many bytes had come by then."""

    data: bytearray = field(default_factory=bytearray)
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    ended: bool = False

    def longest_wait_s(self, start: float, stop: float) -> float:
        """The longest time without a byte between two moments."""
        times = [start, *(at for at, _ in self.arrivals if start <= at <= stop), stop]
        return max(later - sooner for sooner, later in pairwise(times))

    def silent_s(self, start: float, stop: float, bytes_per_s: float) -> float:
        """For how long a player that began with the first byte had nothing to play, between two moments."""
        if not self.arrivals:
            return stop - start
        began, total, silent = self.arrivals[0][0], 0, 0.0
        playable_to = began
        for at, total_now in [*self.arrivals, (stop, len(self.data))]:
            if at > playable_to and at > start:
                silent += max(0.0, min(at, stop) - max(playable_to, start))
                playable_to = at
            playable_to += (total_now - total) / bytes_per_s
            total = total_now
            if at >= stop:
                break
        return silent


class RecordedCrowd(threading.Thread):
    """``count`` listeners of the default station, from ``start`` to ``stop``."""

    def __init__(self, port: int, count: int, first: float = 0.01) -> None:
        super().__init__(name="recorded-crowd", daemon=True)
        self.recordings = [Recording() for _ in range(count)]
        self._port = port
        self._pause_s = first
        self._stopped = threading.Event()
        self.connected = threading.Event()

    def run(self) -> None:
        request = f"GET /stream.mp3 HTTP/1.0\r\nHost: 127.0.0.1:{self._port}\r\n\r\n".encode()
        heads: dict[int, bytes] = {}
        with selectors.DefaultSelector() as ready:
            for number in range(len(self.recordings)):
                one = socket.create_connection(("127.0.0.1", self._port))
                one.sendall(request)
                one.setblocking(False)
                heads[number] = b""
                ready.register(one, selectors.EVENT_READ, number)
                time.sleep(self._pause_s)
                self._read(ready, heads, 0.0)
            self.connected.set()
            while not self._stopped.is_set():
                self._read(ready, heads, 0.1)
            for key in list(ready.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]

    def stop(self) -> None:
        """Hang up."""
        self._stopped.set()
        self.join(10)

    def _read(self, ready: selectors.BaseSelector, heads: dict[int, bytes], wait_s: float) -> None:
        for key, _ in ready.select(wait_s):
            one, recording = key.fileobj, self.recordings[key.data]
            assert isinstance(one, socket.socket)
            try:
                data = one.recv(BLOCK_BYTES)
            except OSError:
                data = b""
            if not data:
                recording.ended = True
                ready.unregister(one)
                one.close()
                continue
            if key.data in heads:
                head, found, data = (heads[key.data] + data).partition(b"\r\n\r\n")
                if not found:
                    heads[key.data] = head
                    continue
                del heads[key.data]
            recording.data += data
            recording.arrivals.append((time.monotonic(), len(recording.data)))


def missing_bytes(recordings: list[Recording]) -> int:
    """Bytes that listeners lack of the stream that the first of them recorded, between their first and last byte.

    All listeners of a station are sent the same bytes, so a recording without a hole is a part of any other.
    """
    whole = bytes(recordings[0].data)
    missing = 0
    for recording in recordings[1:]:
        own = bytes(recording.data[LEAD_BYTES:])
        at = whole.find(own[:MATCH_BYTES])
        if at < 0:
            missing += len(own)
            continue
        both = min(len(own), len(whole) - at)
        if own[:both] != whole[at : at + both]:
            alike = next(i for i in range(both) if own[i] != whole[at + i])
            missing += both - alike
    return missing


def decoded(recording: Recording) -> Samples:
    """The sound of a recording, (T, C)."""
    return decode(bytes(recording.data)).samples


def longest_silence_s(samples: Samples, rate: int) -> float:
    """The longest stretch of digital silence."""
    quiet = np.concatenate([[False], np.max(np.abs(samples), axis=1) < 1e-4, [False]])
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8)))
    return float(np.max(edges[1::2] - edges[::2])) / rate if len(edges) else 0.0
