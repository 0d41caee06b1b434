"""A playout that neither masters nor encodes, which take most of the time of a simulated hour."""

from __future__ import annotations

from lullwave.audio import Audio
from lullwave.codecs import Mp3Encoder, mp3_frames

MP3_FRAME = 1152


class NoMaster:
    latency_frames = 0

    def __init__(self, *levels: object) -> None: ...

    def process(self, audio: Audio) -> Audio:
        return audio

    def state(self) -> bytes:
        return b""


class NoEncoder:
    """Gives as many frames of silence as it is given sound for."""

    delay_frames = Mp3Encoder.delay_frames

    def __init__(self, rate: int, channels: int, kbps: int) -> None:
        encoder = Mp3Encoder(rate, channels, kbps)
        self._frame = mp3_frames(encoder.encode(Audio.silence(8 * MP3_FRAME, rate, channels)) + encoder.flush())[-1]
        self.frames_out = 0

    def encode(self, audio: Audio) -> bytes:
        count = audio.frames // MP3_FRAME
        self.frames_out += count
        return count * self._frame
