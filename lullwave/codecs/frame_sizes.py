"""Where sound that is a row of frames or pages ends: MPEG audio (MP3, MP2, MP1), AAC in ADTS, and Ogg.

Nothing at the beginning states the size of all, but an MP3's first frame often states the number of frames, each page
of Ogg its number, and its last page that it is the last.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from .container_sizes import Content, Extent
from .ogg import is_intact
from .tags import id3_size

RUN = 3  # frames of one form in a row that are taken for sound
FIRST_PAGE, LAST_PAGE = 2, 4  # Ogg header flags, RFC 3533, 6
_HEAD = 6  # bytes that tell the size of a frame
_GAPLESS = (b"LAME", b"Lavc", b"Lavf")  # encoders whose tag does not count itself

# bit rates in kbit/s by the index in the header, for MPEG-1 and for MPEG-2 and 2.5, by layer
_KBPS = {
    (1, 1): (0, *range(32, 449, 32)),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


class Frame(NamedTuple):
    """What the first bytes of a frame state."""

    size: int  # bytes
    form: tuple[int, int]  # what stays the same from frame to frame: version with layer, and sample rate
    tag: int  # where a Xing or Info tag would stand in it; 0 in formats that have none


def frame_at(data: Content, at: int) -> Frame | None:
    """The frame of MPEG audio (at a stated bit rate) or ADTS at ``at``, if one begins there."""
    head = data[at : at + 4]
    if at + _HEAD > len(data) or head[0] != 0xFF or head[1] < 0xE0:
        return None
    if head[1] & 0xF6 != 0xF0:
        return _mpeg_frame(head)
    size = int.from_bytes(data[at + 3 : at + 6], "big") >> 5 & 0x1FFF
    rate = head[2] >> 2 & 15
    return Frame(size, (0, rate), 0) if size > 7 and rate < 13 and head[2] & 0xC0 != 0xC0 else None


@lru_cache(4096)
def _mpeg_frame(head: bytes) -> Frame | None:
    version, layer = {3: 1, 2: 2, 0: 25}.get(head[1] >> 3 & 3, 0), 4 - (head[1] >> 1 & 3)
    index, rate_index, pad = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if not version or layer == 4 or index in (0, 15) or rate_index == 3 or head[3] & 3 == 2:
        return None
    kbps = _KBPS[min(version, 2), layer][index]
    rate = (44100, 48000, 32000)[rate_index] // {1: 1, 2: 2, 25: 4}[version]
    if layer == 1:
        size = (12000 * kbps // rate + pad) * 4
    else:
        size = (72000 if layer == 3 and version > 1 else 144000) * kbps // rate + pad
    mono = head[3] >> 6 == 3
    side = (17 if mono else 32) if version == 1 else (9 if mono else 17)
    return Frame(size, (10 * version + layer, rate), 4 + side if layer == 3 else 0)


def is_run(data: Content, at: int, count: int = RUN) -> bool:
    """Tell whether ``count`` frames of one form stand at ``at``, or fewer that end with the bytes."""
    first = frame = frame_at(data, at)
    for _ in range(count):
        if frame is None or first is None or frame.form != first.form:
            return False
        at += frame.size
        if at >= len(data):
            return at == len(data)
        frame = frame_at(data, at)
    return True


def frames(data: Content, begin: int) -> Extent:
    """The extent of the frames at ``begin``, after an ID3v2 tag if there is one.

    It ends before a frame that begins another file: with a tag of its own, or after as many as the tag stated. Its
    ``sound`` is where the last frame begins.
    """
    at = last = begin + id3_size(data[begin : begin + 10])
    first = frame = frame_at(data, at)
    stated, exact = _stated_frames(data, at)
    count = -1 if stated else 0  # the frame with the tag holds no sound
    while frame is not None and first is not None and frame.form == first.form:
        if at > last and (tag_at(data, at) or (stated and count >= stated and is_run(data, at))):
            break
        if at + frame.size > len(data):
            break
        last, count, at = at, count + 1, at + frame.size
        frame = frame_at(data, at)
    fault = "cut off" if count < stated - (0 if exact else 1) else ""
    ragged = (frame is not None and at + frame.size > len(data)) or (
        at >= len(data) - _HEAD and data[at : at + 1] == b"\xff"
    )
    note = "it ends in the middle of a frame" if ragged else ""
    return Extent(at, fault, sound=last, counted=bool(stated), note=note)


def tag_at(data: Content, at: int) -> int:
    """Where the Xing, Info or VBRI tag of the frame at ``at`` stands; 0 if it has none."""
    frame = frame_at(data, at)
    for place in (frame.tag, frame.tag + 2, 36) if frame is not None and frame.tag else ():  # 2: after a checksum
        if data[at + place : at + place + 4] in (b"Xing", b"Info", b"VBRI"):
            return at + place
    return 0


def _stated_frames(data: Content, at: int) -> tuple[int, bool]:
    """How many frames an MP3 states to have after this one, and whether its writer is known to count so; 0 if none."""
    tag = tag_at(data, at)
    if not tag:
        return 0, False
    if data[tag : tag + 4] == b"VBRI":
        return int.from_bytes(data[tag + 14 : tag + 18], "big"), False
    there = data[tag + 7] & 1 if tag + 120 <= len(data) else 0
    return int.from_bytes(data[tag + 8 : tag + 12], "big") if there else 0, data[tag + 120 : tag + 124] in _GAPLESS


def ogg(data: Content, begin: int) -> Extent:
    """Pages up to the first page of another stream, or to the end after a last page."""
    at, fault, beginning, last = begin, "", True, False
    numbers: dict[bytes, int] = {}  # of the last page of each stream, by its serial number
    while at < len(data):
        head = data[at : at + 27]
        if head[:4] != b"OggS":
            if last:
                break
            fault, at = "damaged", data.find(b"OggS", at)
            if at < 0:
                return Extent(len(data), "cut off")
            continue
        lengths = data[at + 27 : at + 27 + (head[26] if len(head) == 27 else 0)]
        size = 27 + len(lengths) + sum(lengths)
        if len(head) < 27 or len(lengths) < head[26] or at + size > len(data):
            return Extent(len(data), "cut off")
        if head[5] & FIRST_PAGE and not beginning:
            break
        beginning = beginning and bool(head[5] & FIRST_PAGE)
        if not is_intact(data[at : at + size]):
            fault = "damaged"
        serial, number = head[14:18], int.from_bytes(head[18:22], "little")
        if number != numbers.get(serial, number - 1) + 1:
            fault = "damaged"
        numbers[serial], last, at = number, bool(head[5] & LAST_PAGE), at + size
    return Extent(at, fault or ("" if last else "cut off"))
