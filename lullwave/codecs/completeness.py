"""Finds audio files that were cut off, damaged or joined, from what the container states; repairs their headers.

libsndfile decodes a truncated WAV, Ogg or MP3 without an error, and of joined files only the first. (For a truncated
FLAC it raises an error.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from mmap import mmap

from .mp3 import Mp3Header
from .tags import id3_size

Content = bytes | mmap  # of a file; slices of both are bytes

_STREAMED = 0x7F000000  # RIFF sizes from this one on mean "unknown": the WAV was streamed
_FIRST_PAGE, _LAST_PAGE = 2, 4  # Ogg header flags, RFC 3533, 6
_GAPLESS = (b"LAME", b"Lavc", b"Lavf")  # encoders whose Info tag states the exact length
_JUNK = 1 << 20  # bytes before the first MP3 frame that are searched for it
_FRAMES_THERE, _BYTES_THERE = 1, 2  # flags of the Info tag
_FLAC = b"fLaC\x00\x00\x00\x22"  # marker, then the block header of STREAMINFO (RFC 9639, 8)


def is_cut_off(data: Content, stated_frames: int, frames: int) -> str:
    """How ``data`` fell short: "cut off", "damaged", or "" if it is whole.

    It states ``stated_frames`` frames, and ``frames`` were decoded.
    """
    if data[:4] in (b"RIFF", b"FORM"):
        stated = int.from_bytes(data[4:8], "little" if data[:4] == b"RIFF" else "big")
        return "cut off" if stated < _STREAMED and stated + 8 > len(data) + 1 else ""
    if data[:4] == b"OggS":
        return "" if _ends_with_last_page(data) else "cut off"
    tag = _info_at(data, id3_size(data[:10]))
    if tag >= 0 and frames < stated_frames and data[tag + 120 : tag + 124] in _GAPLESS:
        flags, _, size = struct.unpack_from(">III", data, tag + 4)
        whole = flags & _BYTES_THERE and len(data) - id3_size(data[:10]) >= size
        return "damaged" if whole else "cut off"
    return ""


def repaired(data: Content) -> Content:
    """``data`` without what is before its first MP3 frame, and with the sizes of a streamed WAV made "unknown"."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _with_sizes(data)
    known = data[:4] in (b"fLaC", b"OggS", b"FORM", b".snd", b"RF64", b"caff") or data[4:8] == b"ftyp"
    if known or Mp3Header.parse(data, id3_size(data[:10])) is not None:
        return data
    begin = id3_size(data[:10])
    at = data.find(b"\xff", begin, begin + _JUNK)
    while at >= 0:
        if _run_of_frames(data, at, 4):
            return data[at:]
        at = data.find(b"\xff", at + 1, begin + _JUNK)
    return data


def joined_parts(data: Content) -> Iterator[Content]:
    """Each of the files that were joined to ``data``; usually one."""
    starts = [0]
    while (at := _next_file(data, starts[-1])) is not None:
        starts.append(at)
    if len(starts) == 1:
        yield data
        return
    for begin, end in zip(starts, [*starts[1:], len(data)], strict=True):
        yield data[begin:end]


def _next_file(data: Content, begin: int) -> int | None:
    """Where the file after the one at ``begin`` begins; None if that is the last."""
    kind = data[begin : begin + 4]
    if kind == b"RIFF":
        end = begin + 8 + int.from_bytes(data[begin + 4 : begin + 8], "little")
        return next((at for at in (end, end + 1) if data[at : at + 4] == b"RIFF"), None)
    if kind == b"fLaC":
        at = data.find(_FLAC, begin + 4)
        return at if at >= 0 else None
    if kind == b"OggS":
        return _next_chain(data, begin)
    return _next_mp3(data, begin)


def _next_chain(data: Content, begin: int) -> int | None:
    """The first page of a stream after a last page."""
    ended = False
    at = begin
    while at >= 0:
        flags = data[at + 5 : at + 6]
        if ended and flags and flags[0] & _FIRST_PAGE:
            return at
        ended = ended or bool(flags and flags[0] & _LAST_PAGE)
        at = data.find(b"OggS", at + 4)
    return None


def _next_mp3(data: Content, begin: int) -> int | None:
    """The next tag (ID3v2 or Info) that begins another file, right after a frame."""
    at = begin + id3_size(data[begin : begin + 10])
    if not _run_of_frames(data, at, 2):
        return None
    first = True
    while (header := Mp3Header.parse(data, at)) is not None:
        if not first and _info_at(data, at, header.size) >= 0:
            return at
        first = False
        at += header.size
        if data[at : at + 3] == b"TAG":  # ID3v1, at the end of a file
            at += 128
        size = id3_size(data[at : at + 10])
        if size and _run_of_frames(data, at + size, 2):
            return at
    return None


def _run_of_frames(data: Content, at: int, count: int) -> bool:
    """Tell whether ``count`` MP3 frames of one rate stand at ``at``."""
    rate = 0
    for _ in range(count):
        header = Mp3Header.parse(data, at)
        if header is None or (rate and header.rate != rate):
            return False
        rate = header.rate
        at += header.size
    return True


def _info_at(data: Content, begin: int, length: int = 4096) -> int:
    """Where the Info or Xing tag of the frame at ``begin`` stands; -1 if there is none."""
    head = data[begin : begin + min(length, 64)] if length < 4096 else data[begin : begin + length]
    at = max(head.find(b"Info"), head.find(b"Xing"))
    return begin + at if at >= 0 else -1


def _with_sizes(data: Content) -> Content:
    """A WAV whose sizes are 0, as programs that write into a pipe leave them, with sizes that mean "to the end"."""
    at = data.find(b"data", 12, 1 << 16)
    if at < 0 or at + 8 >= len(data) or int.from_bytes(data[at + 4 : at + 8], "little"):
        return data
    unknown = b"\xff\xff\xff\xff"
    return data[:4] + unknown + data[8 : at + 4] + unknown + data[at + 8 :]


def _ends_with_last_page(data: Content) -> bool:
    at = data.rfind(b"OggS")
    if len(data) < at + 27 or not data[at + 5] & _LAST_PAGE:
        return False
    segments = data[at + 26]
    lengths = data[at + 27 : at + 27 + segments]
    return len(lengths) == segments and at + 27 + segments + sum(lengths) <= len(data)
