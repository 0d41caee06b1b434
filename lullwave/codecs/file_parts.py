"""Finds the files that a file consists of: usually one, several where files of any formats were joined.

Each part is cut out with the sizes in its header corrected, so that decoders neither stop early nor read on into the
next. Padding and tags after the sound (ID3v1, ID3v2, APE, Lyrics3) are no part, and junk between files is counted.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from .container_sizes import Content, Extent, container_at
from .frame_sizes import FIRST_PAGE, RUN, frame_at, frames, is_run, ogg, tag_at
from .tags import id3_size

JUNK = 1 << 20  # bytes of junk that are searched for frames without a tag

_FLAC = b"fLaC\0\0\0\x22"  # marker, then the block header of STREAMINFO (RFC 9639, 8)
_SIGNS = (  # bytes near the beginning of files that begin with more than a frame, and how far from it
    (b"WAVE", 8),
    (b"AVI ", 8),
    (b"riff\x2e\x91\xcf\x11", 0),
    (b"FORM", 0),
    (b"fLaC\0\0\0\x22", 0),
    (b"OggS\0\2", 0),
    (b"caff\0", 0),
    (b".snd\0\0", 0),
    (b"dns.", 0),
    (b"ftyp", 4),
    (b"\x1aE\xdf\xa3", 0),
    (b"\x30\x26\xb2\x75\x8e\x66", 0),
    (b"ID3", 0),
    (b"NIST_1A\n", 0),
    (b"Creative Voice", 0),
    (b"wvpk", 0),
    (b"2BIT", 0),
    (b"PVF1\n", 0),
)
_SCANNED = 1 << 20  # bytes that are searched at once
_FRAME = re.compile(rb"\xff[\xe2-\xff][\x10-\xef]|\xff[\xf0\xf1\xf8\xf9]")  # the second: ADTS
_ZEROS = re.compile(rb"\0*")
_LYRICS_END = re.compile(rb"LYRICS200|LYRICSEND")
_ID3V1, _ID3V1_MORE, _APE_HEADER = 128, 227, 32  # bytes
_OTHERS = (b"MAC ", b"TTA1", b"#!AM", b"MPCK", b"MP+\x07", b"tBaK", b"OFR ")  # not measured; PyAV reads some

Measure = Callable[[Content, int], Extent]


@dataclass(frozen=True)
class Part:
    """One file within the bytes ``data``."""

    data: Content
    begin: int
    end: int
    fault: str = ""  # what is wrong with it: "cut off" or "damaged"
    counted: bool = True  # whether it states its number of samples
    corrections: tuple[tuple[int, bytes], ...] = ()  # what to read in place of its bytes, by offset in `data`
    note: str = ""  # what to tell though all of it can be read

    def opened(self) -> io.RawIOBase:
        """A file that holds this part alone."""
        return _Section(self)


def file_parts(data: Content) -> Iterator[Part]:
    """Each of the files that were joined to ``data``; bytes that are in no known format are one part as a whole."""
    begin: int | None = 0
    if _measure_at(data, 0) is None:
        begin = None if data[:4] in _OTHERS else _next_beginning(data, 0)
    zeros = _ZEROS.match(data)
    before = 0 if begin is None or (zeros and zeros.end() >= begin) else begin  # bytes of junk before the first file
    if begin is None:
        yield Part(data, 0, len(data), counted=False)
    while begin is not None:
        measure = _measure_at(data, begin)
        assert measure is not None
        if measure is not frames:
            begin += id3_size(data[begin : begin + 10])
        part, begin = _cut_out(data, begin, measure)
        if before:
            part = replace(part, note="; ".join(filter(None, (_passed_over(before), part.note))))
            before = 0
        yield part


def _measure_at(data: Content, at: int) -> Measure | None:
    """What measures the file that begins at ``at``, after an ID3v2 tag if there is one; None if none begins there."""
    at += id3_size(data[at : at + 10])
    if data[at : at + len(_FLAC)] == _FLAC:
        return _flac
    head = data[at : at + 6]
    if head[:4] == b"OggS" and len(head) == 6 and head[5] & FIRST_PAGE:
        return ogg
    return container_at(data, at) or (frames if is_run(data, at) else None)


def _cut_out(data: Content, begin: int, measure: Measure) -> tuple[Part, int | None]:
    """The file at ``begin``, and where the next one begins, if there is one."""
    extent = measure(data, begin)
    fault, note = extent.fault, extent.note
    if extent.end is None:
        reach = 0 if is_run(data, extent.sound) else len(data)  # MP3 in WAV
        following = _next_beginning(data, extent.sound, reach)
        end = _before_tags(data, extent.sound) if following is None else following
    else:
        end = extent.end
        after, tagged = _after_padding(data, end)
        following = None if after == len(data) or extent.note else after
        if following is not None and _measure_at(data, after) is None:
            # what is there is either in the midst of a file, since this one was cut off, or junk
            inside = _next_beginning(data, (extent.sound if measure is frames else begin) + 1, 0, end)
            if inside is not None:
                end = following = inside
                fault = fault if measure is frames else "cut off"
            else:
                following = _next_beginning(data, after)
                count = (len(data) if following is None else following) - after
                note = _passed_over(count)
        complete = extent.counted and not fault
        if measure is frames and following is not None and following > end and not tagged and not complete:
            first, other = frame_at(data, begin + id3_size(data[begin : begin + 10])), frame_at(data, following)
            if first is not None and other is not None and first.form == other.form and not tag_at(data, following):
                fault = "damaged"
    corrected = extent.end is None or fault == "cut off" or extent.fields
    corrections = tuple((field.at, field.corrected(end)) for field in extent.fields) if corrected else ()
    return Part(data, begin, min(end, len(data)), fault, extent.counted, corrections, note), following


def _passed_over(count: int) -> str:
    return f"{count} bytes that are no sound in a known format were passed over"


def _next_beginning(data: Content, start: int, reach: int = JUNK, stop: int | None = None) -> int | None:
    """Where the first file from ``start`` on begins; one of frames without a tag only within ``reach`` bytes."""
    stop = len(data) if stop is None else stop
    first = next((at for at in _signed(data, start, stop) if _measure_at(data, at) is not None), None)
    framed = _FRAME.finditer(data, start, min(start + reach, stop if first is None else first))
    return next((found.start() for found in framed if is_run(data, found.start(), RUN + 1)), first)


def _signed(data: Content, start: int, stop: int) -> Iterator[int]:
    """The places from ``start`` to ``stop`` at which a file might begin, in order."""
    for begin in range(start, stop, _SCANNED):
        piece = data[begin : min(stop, begin + _SCANNED) + 16]  # searched for one sign after the other, which is fast
        places = set()
        for sign, before in _SIGNS:
            at = piece.find(sign)
            while at >= 0:
                places.add(begin + at - before)
                at = piece.find(sign, at + 1)
        yield from sorted(at for at in places if start <= at < stop)


def _flac(data: Content, begin: int) -> Extent:
    """The size of the frames is not stated; blocks of metadata, which may hold anything, come before them."""
    at, last = begin + 4, False
    while not last and at + 4 <= len(data):
        last, at = bool(data[at] & 0x80), at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    return Extent(None, sound=at) if at < len(data) else Extent(len(data), "cut off")


def _after_padding(data: Content, at: int) -> tuple[int, bool]:
    """Where padding and tags after a file end, unless the next file begins before; and whether there was a tag."""
    tagged = False
    while at < len(data) and _measure_at(data, at) is None:
        size = id3_size(data[at : at + 10])
        if data[at : at + 4] == b"TAG+":
            size = _ID3V1_MORE
        elif data[at : at + 3] == b"TAG":
            size = _ID3V1
        elif data[at : at + 8] == b"APETAGEX":
            size = _APE_HEADER + int.from_bytes(data[at + 12 : at + 16], "little")
        elif data[at : at + 11] == b"LYRICSBEGIN" and (end := _LYRICS_END.search(data, at)) is not None:
            size = end.end() - at
        if not size:
            zeros = _ZEROS.match(data, at)
            size = zeros.end() - at if zeros is not None else 0
            if not size:
                break
            if data[at + size + 1 : at + size + 5] == b"ftyp":  # the size before it begins with three zeros
                return at + size - 3, tagged
        else:
            tagged = True
        at += size
    return min(at, len(data)), tagged


def _before_tags(data: Content, begin: int) -> int:
    """Where the sound ends that goes on to the end of the bytes: before the tags there."""
    end = len(data)
    while end - _ID3V1 >= begin:
        if data[end - _ID3V1 : end - _ID3V1 + 3] == b"TAG":
            end -= _ID3V1
        elif data[end - _APE_HEADER : end - _APE_HEADER + 8] == b"APETAGEX":
            end -= int.from_bytes(data[end - _APE_HEADER + 12 : end - _APE_HEADER + 16], "little")
            if data[end - _APE_HEADER : end - _APE_HEADER + 8] == b"APETAGEX":  # a header as well as a footer
                end -= _APE_HEADER
        else:
            break
    return max(begin, end)


class _Section(io.RawIOBase):
    """The bytes of one part as a file, corrections made. One thread."""

    def __init__(self, part: Part) -> None:
        self._part, self._at = part, 0  # relative to the beginning of the part

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As every file, but no place before the beginning: decoders of damaged files ask for such ones."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._part.end - self._part.begin}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        part, view = self._part, memoryview(buffer).cast("B")
        begin = part.begin + self._at
        count = max(0, min(len(view), part.end - begin))
        view[:count] = part.data[begin : begin + count]
        for at, correct in part.corrections:
            for n in range(max(begin, at), min(begin + count, at + len(correct))):
                view[n - begin] = correct[n - at]
        self._at += count
        return count
