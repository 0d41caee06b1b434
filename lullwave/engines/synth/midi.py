"""Bars as a standard MIDI file, one track for each part.

Written after the Standard MIDI Files 1.0 specification (format 1).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

import numpy as np

from .catalogue.drums import DRUMS
from .catalogue.instruments import INSTRUMENTS, InstrumentName
from .score import RATE, Bar
from .theory import Key

TICKS = 480  # in a beat
_DRUM_CHANNEL = 9

Message = tuple[int, int, bytes]  # tick, order within it, bytes
Stroke = tuple[int, int, int, int]  # first tick, tick after the last, pitch, velocity


def midi_bytes(
    bars: Sequence[Bar], pieces: Mapping[int, tuple[str, Key]] | None = None, frames: int | None = None
) -> bytes:
    """A MIDI file of the bars, from the first of them on; tempo and metre are in its first track.

    ``pieces`` are the titles and keys of the pieces that the bars belong to. The first title is the file's own.
    ``frames`` cuts the file: by default it ends with the last bar.
    """
    if not bars:
        return _file([_track([], 0)])
    clock = _Clock(bars)
    end = clock.tick(clock.starts[-1] if frames is None else min(frames, clock.starts[-1]))
    conductor: list[Message] = []
    tempo = 0
    metre = ""
    piece = -1
    for bar, tick in zip(bars, clock.ticks, strict=False):
        if bar.piece != piece and pieces is not None:
            title, key = pieces[bar.piece]
            conductor.append((tick, 0, (b"\xff\x03" if piece < 0 else b"\xff\x07") + _text(title)))
            conductor.append((tick, 0, b"\xff\x59\x02" + struct.pack("bB", key.sharps, key.minor)))
            piece = bar.piece
        if bar.metre != metre:
            metre = bar.metre
            beats, unit = map(int, metre.split("/"))
            clocks = 36 if metre == "6/8" else 24  # MIDI clocks of a beat
            conductor.append((tick, 0, b"\xff\x58\x04" + bytes((beats, unit.bit_length() - 1, clocks, 8))))
        here = round(60e6 / bar.quarters_per_minute)
        if here != tempo:
            conductor.append((tick, 0, b"\xff\x51\x03" + struct.pack(">I", here)[1:]))
            tempo = here
        for chord in bar.chords:
            conductor.append((tick + round(chord.beat * TICKS), 1, b"\xff\x06" + _text(chord.name)))
    conductor = [message for message in conductor if message[0] < end]
    tracks = [_track(conductor, end)]
    for number, part in enumerate(sorted({note.part for bar in bars for note in bar.notes})):
        channel = number if number < _DRUM_CHANNEL else number + 1
        if strokes := _separate(_notes(bars, clock, part), end):
            programs = [message for message in _programs(bars, clock, part, channel) if message[0] < end]
            tracks.append(_track([*_named(part), *programs, *_sounded(strokes, channel)], end))
    if strokes := _separate(_hits(bars, clock), end):
        tracks.append(_track([*_named("drums"), *_sounded(strokes, _DRUM_CHANNEL)], end))
    return _file(tracks)


class _Clock:
    """Where the frames of the bars lie in ticks, over all changes of tempo."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        """``starts`` and ``ticks``: where each bar begins, and where the last one ends."""
        self.starts = list(accumulate((bar.frames for bar in bars), initial=0))
        self.ticks = list(accumulate((round(bar.quarters * TICKS) for bar in bars), initial=0))

    def tick(self, frame: float) -> int:
        """The tick of a frame, counted from the first bar; what lies outside of the bars moves to their ends."""
        return round(float(np.interp(frame, self.starts, self.ticks)))


def _notes(bars: Sequence[Bar], clock: _Clock, part: str) -> Iterator[Stroke]:
    for bar, start in zip(bars, clock.starts, strict=False):
        for note in bar.notes:
            if note.part == part:
                on = clock.tick(start + note.start_s * RATE)
                off = clock.tick(start + (note.start_s + note.length_s) * RATE)
                yield on, max(on + 1, off), note.pitch, _velocity(note.velocity)


def _hits(bars: Sequence[Bar], clock: _Clock) -> Iterator[Stroke]:
    for bar, start in zip(bars, clock.starts, strict=False):
        for hit in bar.hits:
            on = clock.tick(start + hit.start_s * RATE)
            yield on, on + TICKS // 8, DRUMS[hit.drum].midi_note, _velocity(hit.velocity)


def _separate(strokes: Iterable[Stroke], end: int) -> list[Stroke]:
    """The strokes before tick ``end``, cut there; each ends where its pitch is struck again.

    A note-off ends every note of its pitch, so notes of one pitch must not overlap. Of two that begin together the
    longer one is kept, as loud as the louder.
    """
    out: list[Stroke] = []
    last: dict[int, int] = {}  # pitch -> place in `out`
    for on, off, pitch, velocity in sorted(strokes):
        if on >= end:
            break
        stroke = (on, min(off, end), pitch, velocity)
        if (before := last.get(pitch)) is not None:
            earlier = out[before]
            if earlier[0] == on:
                out[before] = (on, stroke[1], pitch, max(earlier[3], velocity))
                continue
            out[before] = (earlier[0], min(earlier[1], on), pitch, earlier[3])
        last[pitch] = len(out)
        out.append(stroke)
    return out


def _sounded(strokes: Iterable[Stroke], channel: int) -> Iterator[Message]:
    for on, off, pitch, velocity in strokes:
        yield on, 2, bytes((0x90 | channel, pitch, velocity))
        yield off, 1, bytes((0x80 | channel, pitch, 64))


def _programs(bars: Sequence[Bar], clock: _Clock, part: str, channel: int) -> Iterator[Message]:
    """The changes of a part's instrument."""
    instrument: InstrumentName | None = None
    for bar, tick in zip(bars, clock.ticks, strict=False):
        track = bar.mix.tracks.get(part)
        if track is not None and track.instrument != instrument:
            instrument = track.instrument
            yield tick, 0, bytes((0xC0 | channel, INSTRUMENTS[instrument].midi_program))


def _named(track: str) -> list[Message]:
    return [(0, 0, b"\xff\x03" + _text(track))]


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
