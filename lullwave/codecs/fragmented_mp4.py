"""AAC in fragmented MP4 (ISO/IEC 14496-12, 8.8), endless: one encoder and one muxer whose fragments join without a gap.

Needs PyAV (extra ``media``).
"""

from __future__ import annotations

from fractions import Fraction
from importlib.util import find_spec

import numpy as np

from ..audio import Audio, Samples
from ..errors import MissingExtra

PACKET_FRAMES = 1024  # samples per channel in one AAC packet


def installed() -> bool:
    """Tell whether the package is there that this encoder needs. Does not load it."""
    return find_spec("av") is not None


def missing() -> MissingExtra:
    """The error that names the extra."""
    return MissingExtra("HLS", "media", "av")


class FragmentedAac:
    """Encodes an endless run of sound into fragments of ``packets`` AAC packets each. One thread.

    ``init`` comes first, then every fragment; they may also begin with any later one. Sample k of the decoded stream
    is sample ``k - delay_frames`` of the input. A fragment is complete when the first packet after it is.

    Raises:
        MissingExtra: PyAV is not installed.
    """

    delay_frames = 1024  # what FFmpeg's AAC encoder puts before the first sample

    def __init__(self, rate: int, channels: int, kbps: int, packets: int) -> None:
        try:
            import av
        except ModuleNotFoundError:
            raise missing() from None
        self.rate, self.channels, self.packets = rate, channels, packets
        self.init = b""
        self._av = av
        self._sink = _Sink()
        # A fragment ends with the packet that reaches this duration; half a packet less allows for rounding.
        duration_us = round((packets - 0.5) * PACKET_FRAMES * 1e6 / rate)
        options = {
            "movflags": "empty_moov+default_base_moof+skip_trailer",
            "frag_duration": str(duration_us),
            "flush_packets": "1",
        }
        self._container = av.open(self._sink, "w", format="mp4", options=options)
        layout = "stereo" if channels == 2 else "mono"
        # The coder "fast" takes a quarter of the time of the default one.
        self._stream = self._container.add_stream("aac", rate=rate, layout=layout, options={"aac_coder": "fast"})
        self._stream.bit_rate = 1000 * kbps
        self._time_base = Fraction(1, rate)
        self._waiting: Samples = np.zeros((0, channels), np.float32)
        self._given = 0  # samples that the encoder was given
        self._packets = 0  # that it made
        self._container.start_encoding()
        self.init = b"".join(self._sink.boxes())

    def encode(self, audio: Audio) -> list[bytes]:
        """The fragments (``moof`` and ``mdat``) that ``audio`` completes, often none.

        Raises:
            InvalidInput: the audio has another rate or number of channels.
        """
        audio.check_shape(self.rate, self.channels)
        sound = np.concatenate([self._waiting, audio.samples])
        whole = len(sound) // PACKET_FRAMES * PACKET_FRAMES
        self._waiting = sound[whole:]
        for start in range(0, whole, PACKET_FRAMES):
            self._encode_packet(sound[start : start + PACKET_FRAMES])
        found = self._sink.boxes()
        return [moof + mdat for moof, mdat in zip(found[::2], found[1::2], strict=True)]

    def close(self) -> None:
        """Free the encoder; what no fragment holds yet is lost."""
        self._container.close()

    def _encode_packet(self, samples: Samples) -> None:
        layout = "stereo" if self.channels == 2 else "mono"
        frame = self._av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = self.rate, self._time_base, self._given
        self._given += len(samples)
        for packet in self._stream.encode(frame):
            packet.pts = packet.dts = self._packets * PACKET_FRAMES  # the timeline begins at 0, with the delay
            self._packets += 1
            self._container.mux(packet)


class _Sink:
    """The file that the muxer writes to: keeps new bytes until they are whole boxes."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def boxes(self) -> list[bytes]:
        """The whole boxes since the last call; an unpaired ``moof`` at the end waits for its ``mdat``."""
        found, at = [], 0
        while len(self._data) - at >= 8:
            size = int.from_bytes(self._data[at : at + 4], "big")
            if at + size > len(self._data):
                break
            found.append(bytes(self._data[at : at + size]))
            at += size
        if found and found[-1][4:8] == b"moof":
            at -= len(found.pop())
        del self._data[:at]
        return found
