"""Where a file in a container of chunks ends, as its own headers state: WAV, RF64, W64, AIFF, AU, CAF, MP4 and others.

Decoders take the sizes in headers as a hint: of a file that is cut off they read what is there, and of files that were
joined only the first. Knows no audio codec.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from mmap import mmap

Content = bytes | mmap  # of a file; slices of both are bytes

UNKNOWN = 0x7F000000  # sizes of 32 bits from this one on mean "unknown": the file was streamed
UNKNOWN_LONG = 1 << 62  # the same of 64 bits
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")  # the GUID of a header object (ASF specification, 3.1)
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")  # of the object with the sound
_EBML = b"\x1aE\xdf\xa3"  # begins Matroska and WebM (RFC 8794, 11.2.1)
_SEGMENT = b"\x18\x53\x80\x67"  # the element of EBML that holds all of the sound
_ATOMS = re.compile(b"ftyp|moov|mdat|free|skip|wide|moof|mfra|sidx|styp|uuid|meta|emsg|pdin")


@dataclass(frozen=True)
class SizeField:
    """A size in a header, to be corrected where it is unknown or more than there is."""

    at: int  # its offset in the bytes
    form: str  # as in `struct`
    base: int  # the offset that the size counts from

    def corrected(self, end: int) -> bytes:
        """The field for a file that ends at ``end``."""
        bits = 8 * struct.calcsize(self.form) - (self.form[-1] == "q")
        return struct.pack(self.form, min((1 << bits) - 1, max(0, end - self.base)))


@dataclass(frozen=True)
class Extent:
    """How far one file reaches into the bytes that it stands in."""

    end: int | None  # after its last byte; None: not stated, up to the next file or the end of the bytes
    fault: str = ""  # what is wrong with it: "cut off" or "damaged"
    fields: tuple[SizeField, ...] = ()  # to be corrected if the end is not stated or the file is cut off
    sound: int = 0  # where its sound begins, if the end is not stated
    counted: bool = True  # whether the number of samples is stated
    note: str = ""  # what to tell though all that is there can be read


def container_at(data: Content, begin: int) -> Callable[[Content, int], Extent] | None:
    """The function that measures the container which begins at ``begin``; None where none does."""
    head = data[begin : begin + 24]
    if head[4:8] == b"ftyp" and head[:3] == bytes(3):
        return _mp4
    measure, pattern = _KINDS.get(head[:4], (None, b""))
    return measure if measure is not None and re.match(pattern, head[4:], re.DOTALL) else None


def _wav(data: Content, begin: int) -> Extent:
    """WAV (also big-endian), RF64 and BW64 (EBU Tech 3306)."""
    form = ">I" if data[begin : begin + 4] == b"RIFX" else "<I"
    whole, unknown, long_size = _whole(data, begin, form), UNKNOWN, 0
    total = SizeField(begin + 4, form, begin + 8)
    long_field = 0  # where the sound's size of 64 bits is
    for name, at, size in _chunks(data, begin + 12, form):
        if name == b"ds64":
            whole, unknown = _whole(data, begin, "<Q", at), UNKNOWN_LONG
            total, long_field = SizeField(at, "<Q", begin + 8), at + 8
            long_size = _number(data, long_field, "<Q")
        elif name == b"data":
            if long_field and size == 0xFFFFFFFF:
                field, size = SizeField(long_field, "<Q", at), long_size
            else:
                field = SizeField(at - 4, form, at)
            return _stated(data, at, size, whole, (total, field), unknown, form)
    return _headless(data, begin, whole)


def _w64(data: Content, begin: int) -> Extent:
    """Sony Wave64: chunks named by GUIDs, whose sizes include their headers of 24 bytes."""
    whole, at = _whole(data, begin, "<Q", begin + 16) - 8, begin + 40
    while at + 24 <= len(data):
        size = _number(data, at + 16, "<Q")
        if data[at : at + 4] == b"data":
            fields = (SizeField(begin + 16, "<Q", begin), SizeField(at + 16, "<Q", at))
            return _stated(data, at + 24, max(0, size - 24), whole, fields, UNKNOWN_LONG)
        if size < 24:
            break
        at += -(-size // 8) * 8
    return _headless(data, begin, whole)


def _form(data: Content, begin: int) -> Extent:
    """AIFF, AIFF-C and 8SVX: chunks with big-endian sizes."""
    whole = _whole(data, begin, ">I")
    for name, at, size in _chunks(data, begin + 12, ">I"):
        if name in (b"SSND", b"BODY"):
            fields = (SizeField(begin + 4, ">I", begin + 8), SizeField(at - 4, ">I", at))
            return _stated(data, at, size, whole, fields, UNKNOWN, ">I")
    return _headless(data, begin, whole)


def _au(data: Content, begin: int) -> Extent:
    """AU, in both byte orders: only the size of the sound is stated."""
    form = ">I" if data[begin : begin + 4] == b".snd" else "<I"
    sound = begin + max(24, _number(data, begin + 4, form))
    size = _number(data, begin + 8, form)
    return _stated(data, sound, size, begin, (SizeField(begin + 8, form, sound),), UNKNOWN)


def _caf(data: Content, begin: int) -> Extent:
    """Core Audio Format: the end is that of the last chunk."""
    end = begin
    for name, at, size in _chunks(data, begin + 8, ">q", pad=False):
        if name == b"data":
            found = _stated(data, at, max(0, size), begin, (SizeField(at - 8, ">q", at),), UNKNOWN_LONG)
            if found.end is None or found.fault:
                return found
            end = found.end
        elif end > begin:
            if not name.isalpha() or name in _KINDS or at + size > len(data):
                break
            end = at + size
    return Extent(end) if end > begin else _headless(data, begin, begin)


def _mp4(data: Content, begin: int) -> Extent:
    """MP4 and its kin: atoms up to the next ``ftyp`` (ISO/IEC 14496-12, 4.2)."""
    at = begin
    while _ATOMS.match(data[at + 4 : at + 8]) and (at == begin or data[at + 4 : at + 8] != b"ftyp"):
        size = _number(data, at, ">I")
        if size == 1:
            size = _number(data, at + 8, ">Q")
        if size < 8:  # 0: to the end
            return Extent(None, sound=at)
        at += size
    return _ending(data, at)


def _asf(data: Content, begin: int) -> Extent:
    """WMA and WMV: objects named by GUIDs, up to the next header object."""
    at, done = begin, False
    while at + 24 <= len(data) and (at == begin or container_at(data, at) is None):
        size = _number(data, at + 16, "<Q")
        sound = data[at : at + 16] == _ASF_DATA
        if sound and not 0 < size < UNKNOWN_LONG:  # a broadcast states none
            return Extent(None, sound=at)
        if size < 24 or (done and at + size > len(data)):
            break
        done = done or sound
        at += size
    return _ending(data, at)


def _ebml(data: Content, begin: int) -> Extent:
    """WebM and Matroska: a header and a segment."""
    at, size = _ebml_size(data, begin + 4)
    at += size or 0
    if data[at : at + 4] != _SEGMENT:
        return Extent(None, sound=at)
    at, size = _ebml_size(data, at + 4)
    return Extent(None, sound=at) if size is None else _ending(data, at + size)


def _riff(data: Content, begin: int) -> Extent:
    """WAV, or AVI."""
    if data[begin + 8 : begin + 12] == b"WAVE":
        return _wav(data, begin)
    whole = _whole(data, begin, "<I")
    return _ending(data, whole) if whole > begin else Extent(None, sound=begin + 12)


def _wavpack(data: Content, begin: int) -> Extent:
    """WavPack: blocks; each states its first frame."""
    at, first = begin, 0
    while data[at : at + 4] == b"wvpk":
        index = _number(data, at + 16, "<I")
        if index < first:
            break
        first, at = index, at + 8 + _number(data, at + 4, "<I")
    return _ending(data, at)


def _nist(data: Content, begin: int) -> Extent:
    """NIST SPHERE: lines of text state the number of samples and the bytes of each."""
    lines = data[begin : begin + 1024].split(b"\n")
    said = {words[0]: words[-1] for line in lines if len(words := line.split()) == 3}
    try:
        count = int(said[b"sample_count"]) * int(said[b"sample_n_bytes"]) * int(said[b"channel_count"])
        return _ending(data, begin + int(lines[1]) + count)
    except (KeyError, ValueError, IndexError):
        return Extent(None, sound=begin)


def _voc(data: Content, begin: int) -> Extent:
    """Creative Voice: blocks of a kind and a size of three bytes, up to one of kind 0."""
    at = begin + max(26, _number(data, begin + 20, "<H"))
    while at < len(data) and data[at]:
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "little")
    return _ending(data, at if at > len(data) else min(at + 1, len(data)))  # some writers leave out the last block


def _unstated(data: Content, begin: int) -> Extent:
    """Containers that state no size."""
    return Extent(None, sound=begin + 4)


def _avr(data: Content, begin: int) -> Extent:
    """Audio Visual Research: a header of 128 bytes states channels, bits and frames."""
    channels = 2 if _number(data, begin + 12, ">H") else 1
    width = 2 if _number(data, begin + 14, ">H") == 16 else 1
    return _ending(data, begin + 128 + _number(data, begin + 26, ">I") * channels * width)


def _mpc2k(data: Content, begin: int) -> Extent:
    """Akai MPC 2000: a header of 42 bytes, 16-bit samples."""
    channels = 2 if data[begin + 21 : begin + 22] == b"\x01" else 1
    return _ending(data, begin + 42 + 2 * channels * _number(data, begin + 30, "<I"))


def _mat5(data: Content, begin: int) -> Extent:
    """MATLAB 5: elements of a type and a size after 128 bytes of header."""
    form = "<I" if data[begin + 126 : begin + 128] == b"IM" else ">I"
    at = begin + 128
    while at + 8 <= len(data) and 0 < _number(data, at, form) <= 18:
        at += 8 + _number(data, at + 4, form)
    return _ending(data, at if at > len(data) + 8 else min(at, len(data)))  # libsndfile states 8 bytes too many


_KINDS: dict[bytes, tuple[Callable[[Content, int], Extent], bytes]] = {  # first bytes; a pattern of those after them
    b"RIFF": (_riff, b"....(WAVE|AVI )"),
    b"RIFX": (_wav, b"....WAVE"),
    b"RF64": (_wav, b"....WAVE"),
    b"BW64": (_wav, b"....WAVE"),
    b"riff": (_w64, b"\x2e\x91\xcf\x11"),
    b"FORM": (_form, b"....(AIF[FC]|8SVX|16SV)"),
    b".snd": (_au, rb"\0\0......\0\0\0."),
    b"dns.": (_au, rb"..\0\0.....\0\0\0"),
    b"caff": (_caf, rb"\0[\1\2]"),
    _ASF[:4]: (_asf, re.escape(_ASF[4:])),
    _EBML: (_ebml, b""),
    b"wvpk": (_wavpack, b"..\0\0.[\4-\x10]"),
    b"NIST": (_nist, b"_1A\n"),
    b"Crea": (_voc, b"tive Voice File\x1a"),
    b"2BIT": (_avr, rb".{8}(?:\0\0|\xff\xff)\0[\x08\x10]"),
    b"MATL": (_mat5, b"AB 5"),
    b"\x01\x04  ": (_mpc2k, b""),
    b"PVF1": (_unstated, b"\n"),
    b" paf": (_unstated, b"\0\0\0"),
    b"fap ": (_unstated, b".\0\0\0"),
    **{bytes((0x64, 0xA3, n, 0)): (_unstated, b"") for n in range(1, 5)},  # IRCAM, little-endian
    **{bytes((0, n, 0xA3, 0x64)): (_unstated, b"") for n in range(1, 5)},
}


def _number(data: Content, at: int, form: str) -> int:
    """The integer at ``at``; 0 where the bytes end before it."""
    size = struct.calcsize(form)
    return int(struct.unpack(form, data[at : at + size])[0]) if at + size <= len(data) else 0


def _whole(data: Content, begin: int, form: str, at: int | None = None) -> int:
    """Where the file ends by the size at ``at``, which counts from ``begin`` + 8; ``begin`` if that is unknown."""
    total = _number(data, begin + 4 if at is None else at, form)
    return begin + 8 + total if 0 < total < (UNKNOWN_LONG if form[-1] == "Q" else UNKNOWN) else begin


def _chunks(data: Content, at: int, form: str, pad: bool = True) -> Iterator[tuple[bytes, int, int]]:
    """The name, the place of the content and the size of each chunk from ``at`` on; a size may exceed the bytes."""
    width = struct.calcsize(form)
    while at + 4 + width <= len(data):
        size = _number(data, at + 4, form)
        yield data[at : at + 4], at + 4 + width, size
        at += 4 + width + max(0, size) + (size % 2 if pad else 0)


def _stated(
    data: Content, sound: int, size: int, whole: int, fields: tuple[SizeField, ...], unknown: int, chunks: str = ""
) -> Extent:
    """The extent of a file whose sound begins at ``sound`` and has ``size`` bytes.

    The file as a whole is said to end at ``whole``. Sizes of 0 and from ``unknown`` on mean that it was streamed. More
    chunks, with sizes of the form ``chunks``, may follow the sound.
    """
    if sound > len(data):
        return Extent(len(data), "cut off")
    if not 0 < size < unknown:
        if whole > len(data):
            return Extent(len(data), "cut off", fields)
        if sound < whole <= len(data):
            return Extent(whole) if not size and _are_chunks(data, sound, whole, chunks) else Extent(whole, "", fields)
        return Extent(None, "", fields, sound)
    end = sound + size
    if end > len(data):
        return Extent(len(data), "cut off", fields)
    if end <= whole <= len(data):
        return Extent(whole)
    for name, at, more in _chunks(data, end + end % 2, chunks) if chunks else ():  # the whole is not stated rightly
        if not name.isascii() or name in _KINDS or at + more > len(data):
            break
        end = at + more
    return Extent(end)


def _are_chunks(data: Content, begin: int, end: int, form: str) -> bool:
    """Tell whether the bytes are chunks and nothing else: then the sound before them is empty."""
    last = begin
    for name, at, size in _chunks(data, begin, form) if form else ():
        if last >= end or not name.isascii():
            break
        last = at + size + size % 2
    return last in (end, end + 1)


def _headless(data: Content, begin: int, whole: int) -> Extent:
    """The extent of a file in which the sound's beginning was not found."""
    return Extent(whole) if begin < whole <= len(data) else Extent(len(data), "cut off")


def _ending(data: Content, end: int) -> Extent:
    return Extent(end) if end <= len(data) else Extent(len(data), "cut off")


def _ebml_size(data: Content, at: int) -> tuple[int, int | None]:
    """Where the content of an element begins, and its size, None if unknown (RFC 8794, 4)."""
    length = 9 - (data[at] if at < len(data) else 0).bit_length()
    size = int.from_bytes(data[at : at + length], "big") & ~(1 << 7 * length)
    return at + length, None if size == (1 << 7 * length) - 1 else size
