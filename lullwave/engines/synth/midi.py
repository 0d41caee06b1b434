"""Bars as a standard MIDI file, one track for each part; knows nothing of how they sound here.

Written after the Standard MIDI Files 1.0 specification (format 1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

from .catalogue.drums import DRUMS
from .catalogue.instruments import INSTRUMENTS, InstrumentName
from .score import RATE, Bar
from .theory import Key

TICKS = 480  # in a beat
_DRUM_CHANNEL = 9

Message = tuple[int, int, bytes]  # tick, order within it, bytes


def midi_bytes(bars: Sequence[Bar], pieces: Mapping[int, tuple[str, Key]] | None = None) -> bytes:
    """A MIDI file of the bars, from the first of them on; tempo and metre are in its first track.

    ``pieces`` are the titles and keys of the pieces that the bars belong to. The first title is the file's own.
    """
    if not bars:
        return _file([_track([], 0)])
    ticks = _bar_ticks(bars)
    end = ticks[-1] + round(bars[-1].quarters * TICKS)
    conductor: list[Message] = []
    tempo = 0
    metre: tuple[int, int] = (0, 0)
    piece = -1
    for bar, tick in zip(bars, ticks, strict=True):
        if bar.piece != piece and pieces is not None:
            title, key = pieces[bar.piece]
            conductor.append((tick, 0, (b"\xff\x03" if piece < 0 else b"\xff\x07") + _text(title)))
            conductor.append((tick, 0, b"\xff\x59\x02" + struct.pack("bB", key.sharps, key.minor)))
            piece = bar.piece
        signature = (6, 8) if bar.metre == "6/8" else (bar.beats, 4)
        if signature != metre:
            clocks = 36 if signature == (6, 8) else 24  # MIDI clocks of a beat
            conductor.append(
                (tick, 0, b"\xff\x58\x04" + bytes((signature[0], signature[1].bit_length() - 1, clocks, 8)))
            )
            metre = signature
        here = round(bar.frames / RATE / bar.quarters * 1e6)
        if here != tempo:
            conductor.append((tick, 0, b"\xff\x51\x03" + struct.pack(">I", here)[1:]))
            tempo = here
        for chord in bar.chords:
            conductor.append((tick + round(chord.beat * TICKS), 1, b"\xff\x06" + _text(chord.name)))
    parts = sorted({note.part for bar in bars for note in bar.notes})
    tracks = [_track(conductor, end)]
    for number, part in enumerate(parts):
        channel = number if number < _DRUM_CHANNEL else number + 1
        tracks.append(_track(_part_messages(bars, ticks, part, channel), end))
    if any(bar.hits for bar in bars):
        tracks.append(_track(_drum_messages(bars, ticks), end))
    return _file(tracks)


def _bar_ticks(bars: Iterable[Bar]) -> list[int]:
    ticks, at = [], 0
    for bar in bars:
        ticks.append(at)
        at += round(bar.quarters * TICKS)
    return ticks


def _tick(bar: Bar, start: int, seconds: float) -> int:
    return max(0, start + round(seconds * RATE / bar.frames * bar.quarters * TICKS))


def _part_messages(bars: Sequence[Bar], ticks: list[int], part: str, channel: int) -> list[Message]:
    messages: list[Message] = [(0, 0, b"\xff\x03" + _text(part))]
    instrument: InstrumentName | None = None
    for bar, start in zip(bars, ticks, strict=True):
        track = bar.mix.tracks.get(part)
        if track is not None and track.instrument != instrument:
            instrument = track.instrument
            messages.append((start, 0, bytes((0xC0 | channel, INSTRUMENTS[instrument].midi_program))))
        for note in bar.notes:
            if note.part == part:
                on = _tick(bar, start, note.start_s)
                off = max(on + 1, _tick(bar, start, note.start_s + note.length_s))
                messages.append((on, 2, bytes((0x90 | channel, note.pitch, _velocity(note.velocity)))))
                messages.append((off, 1, bytes((0x80 | channel, note.pitch, 64))))
    return messages


def _drum_messages(bars: Sequence[Bar], ticks: list[int]) -> list[Message]:
    messages: list[Message] = [(0, 0, b"\xff\x03" + _text("drums"))]
    for bar, start in zip(bars, ticks, strict=True):
        for hit in bar.hits:
            on, note = _tick(bar, start, hit.start_s), DRUMS[hit.drum].midi_note
            messages.append((on, 2, bytes((0x90 | _DRUM_CHANNEL, note, _velocity(hit.velocity)))))
            messages.append((on + TICKS // 8, 1, bytes((0x80 | _DRUM_CHANNEL, note, 64))))
    return messages


def _velocity(weight: float) -> int:
    return max(1, min(127, round(weight * 127)))


def _text(text: str) -> bytes:
    data = text.encode("ascii", "replace")
    return _length(len(data)) + data


def _length(value: int) -> bytes:
    """A variable-length quantity: seven bits a byte, the highest bit set on all but the last."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(0x80 | (value & 0x7F))
    return bytes(reversed(out))


def _track(messages: list[Message], end: int) -> bytes:
    data, at = b"", 0
    chunks = []
    for tick, _, message in sorted(messages, key=lambda m: (m[0], m[1])):
        chunks.append(_length(tick - at) + message)
        at = tick
    chunks.append(_length(max(0, end - at)) + b"\xff\x2f\x00")
    data = b"".join(chunks)
    return b"MTrk" + struct.pack(">I", len(data)) + data


def _file(tracks: list[bytes]) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), TICKS) + b"".join(tracks)
