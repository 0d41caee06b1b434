"""AAC in fragmented MP4 (ISO/IEC 14496-12, 8.8) whose fragments depend on the sound around them and on nothing else.

An endless timeline of sound is cut into fragments of equal length, numbered from frame 0. Each has an encoder of its
own, which begins ``WARM_PACKETS`` before it. So a fragment has the same bytes wherever its encoding began, in whatever
process, and a decoder overlaps the last packet of one with the first packet of the next as it does within a fragment.
Needs PyAV (extra ``media``).
"""

from __future__ import annotations

import functools
from collections import deque
from fractions import Fraction
from importlib.util import find_spec
from struct import pack
from typing import Any

import numpy as np

from ..audio import Audio, Samples
from ..errors import MissingExtra

PACKET_FRAMES = 1024  # samples per channel in one AAC packet
WARM_PACKETS = 43  # packets that an encoder makes before its fragment, about a second, and that are dropped
LOOKAHEAD_FRAMES = 2 * PACKET_FRAMES  # of sound after a fragment, which its last packet depends on
_CODER = {"aac_coder": "fast"}  # takes a quarter of the time of the default one
_SYNC = 0x02000000  # sample flags of a packet that depends on no other one (8.8.3.1)


def installed() -> bool:
    """Tell whether the package is there that this encoder needs. Does not load it."""
    return find_spec("av") is not None


def missing() -> MissingExtra:
    """The error that names the extra."""
    return MissingExtra("HLS", "media", "av")


@functools.lru_cache
def header(rate: int, channels: int, kbps: int) -> bytes:
    """The boxes ``ftyp`` and ``moov`` that a player needs before any fragment.

    Raises:
        MissingExtra: PyAV is not installed.
    """
    sink = _Sink()
    # "bitexact" leaves the muxer's version out: servers of different versions give the same header.
    options = {"movflags": "empty_moov+default_base_moof+skip_trailer", "fflags": "+bitexact"}
    with _av().open(sink, "w", format="mp4", options=options) as container:
        stream = container.add_stream("aac", rate=rate, layout=_layout(channels), options=_CODER)
        stream.bit_rate = 1000 * kbps
        container.start_encoding()
        return bytes(sink.data)


class AacFragments:
    """Encodes a run of sound that begins at frame ``begin`` of the timeline, as fragments of ``packets``. One thread.

    The first fragment is the first one for whose encoder there is enough sound before it; before frame 0 there is
    silence. No fragment from number ``until`` on is begun. The decoded samples of fragment n are frames ``n * size`` to
    ``(n + 1) * size``.

    Raises:
        MissingExtra: PyAV is not installed.
    """

    def __init__(self, rate: int, channels: int, kbps: int, packets: int, begin: int, until: int | None = None) -> None:
        _av()
        self.rate, self.channels, self.kbps, self.packets = rate, channels, kbps, packets
        self.size = packets * PACKET_FRAMES  # frames of a fragment
        self._at = begin  # frame of the next sample
        self._until = until  # number of the first fragment that is not wanted; None: all are
        warm = WARM_PACKETS * PACKET_FRAMES
        self._next = 0 if begin <= 0 else -(-(begin + warm) // self.size)  # fragment that is begun next
        self._silence = max(0, begin + warm) if begin <= 0 else 0  # frames before the first sample, for fragment 0
        self._open: deque[_FragmentEncoder] = deque()  # oldest first

    def encode(self, audio: Audio) -> list[tuple[int, bytes]]:
        """The fragments that ``audio`` completes, often none: each with its number.

        Raises:
            InvalidInput: the audio has another rate or number of channels.
        """
        audio.check_shape(self.rate, self.channels)
        sound, begin = audio.samples, self._at
        if self._silence:
            sound = np.concatenate([np.zeros((self._silence, self.channels), np.float32), sound])
            begin, self._silence = begin - self._silence, 0
        self._at += audio.frames
        while self._next != self._until and self._next * self.size - WARM_PACKETS * PACKET_FRAMES < self._at:
            self._open.append(_FragmentEncoder(self, self._next))
            self._next += 1
        made = []
        for one in list(self._open):
            data = one.encode(sound[max(0, one.begin - begin) :])
            if data is not None:
                made.append((one.number, data))
                self._open.remove(one)
        return made


class _FragmentEncoder:
    """The encoder of one fragment."""

    def __init__(self, of: AacFragments, number: int) -> None:
        self.number, self.begin = number, number * of.size - WARM_PACKETS * PACKET_FRAMES
        self._of = of
        self._codec = _av().CodecContext.create("aac", "w")
        self._codec.sample_rate, self._codec.layout, self._codec.format = of.rate, _layout(of.channels), "fltp"
        self._codec.bit_rate, self._codec.time_base = 1000 * of.kbps, Fraction(1, of.rate)
        self._codec.options = _CODER
        self._waiting: Samples = np.zeros((0, of.channels), np.float32)
        self._packets: list[bytes] = []

    def encode(self, samples: Samples) -> bytes | None:
        """The fragment (``moof`` and ``mdat``) once ``samples`` complete it."""
        sound = np.concatenate([self._waiting, samples])
        whole = len(sound) // PACKET_FRAMES * PACKET_FRAMES
        self._waiting = sound[whole:]
        first = WARM_PACKETS + 1  # packet 0 is what the encoder puts before the first sample
        for start in range(0, whole, PACKET_FRAMES):
            self._packets += self._encode_packet(sound[start : start + PACKET_FRAMES])
            if len(self._packets) == first + self._of.packets:
                return _fragment(self.number, self.number * self._of.size, self._packets[first:])
        return None

    def _encode_packet(self, samples: Samples) -> list[bytes]:
        layout = _layout(self._of.channels)
        frame = _av().AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base = self._of.rate, self._codec.time_base
        return [bytes(packet) for packet in self._codec.encode(frame)]


class _Sink:
    """The file that the muxer writes to."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def _fragment(number: int, begin: int, packets: list[bytes]) -> bytes:
    """The boxes of a fragment that is decoded at time ``begin``, in frames (8.8.4 to 8.8.12)."""
    mfhd = _box(b"mfhd", pack(">II", 0, (number + 1) & 0xFFFFFFFF))
    tfhd = _box(b"tfhd", pack(">IIII", 0x020028, 1, PACKET_FRAMES, _SYNC))  # offsets count from the moof
    tfdt = _box(b"tfdt", pack(">IQ", 0x01000000, begin))
    sizes = pack(f">{len(packets)}I", *(len(packet) for packet in packets))
    moof_size = 8 + len(mfhd) + 8 + len(tfhd) + len(tfdt) + 20 + len(sizes)
    trun = _box(b"trun", pack(">IIi", 0x000201, len(packets), moof_size + 8) + sizes)
    moof = _box(b"moof", mfhd + _box(b"traf", tfhd + tfdt + trun))
    return moof + _box(b"mdat", b"".join(packets))


def _box(kind: bytes, content: bytes) -> bytes:
    return pack(">I", 8 + len(content)) + kind + content


def _layout(channels: int) -> str:
    return "stereo" if channels == 2 else "mono"


def _av() -> Any:
    """The package PyAV.

    Raises:
        MissingExtra
    """
    try:
        import av
    except ModuleNotFoundError:
        raise missing() from None
    return av
