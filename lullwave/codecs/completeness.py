"""Finds audio files that were cut off, from what the container states about its end.

libsndfile decodes a truncated WAV, Ogg or MP3 without an error. (For FLAC it raises one.)
"""

from __future__ import annotations

from .tags import id3_size

_STREAMED = 0x7F000000  # RIFF sizes from this one on mean "unknown": the WAV was streamed
_LAST_PAGE = 4  # Ogg header flag, RFC 3533, 6
_GAPLESS = (b"LAME", b"Lavc", b"Lavf")  # encoders whose Info tag states the exact length


def is_cut_off(data: bytes, stated_frames: int, frames: int) -> bool:
    """Tell whether ``data`` ends too early: it states ``stated_frames`` frames, and ``frames`` were decoded."""
    if data[:4] == b"RIFF":
        stated = int.from_bytes(data[4:8], "little")
        return stated < _STREAMED and stated + 8 > len(data)
    if data[:4] == b"OggS":
        return not _ends_with_last_page(data)
    if _states_length(data):
        return frames < stated_frames
    return False


def _ends_with_last_page(data: bytes) -> bool:
    at = data.rfind(b"OggS")
    if len(data) < at + 27 or not data[at + 5] & _LAST_PAGE:
        return False
    segments = data[at + 26]
    lengths = data[at + 27 : at + 27 + segments]
    return len(lengths) == segments and at + 27 + segments + sum(lengths) <= len(data)


def _states_length(data: bytes) -> bool:
    """Tell whether an MP3's first frame is a tag with the encoder's delay and padding."""
    begin = id3_size(data)
    head = data[begin : begin + 4096]
    at = max(head.find(b"Info"), head.find(b"Xing"))
    return at >= 0 and head[at + 120 : at + 124] in _GAPLESS
