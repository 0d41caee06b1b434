"""Reads MIDI files; written from the specification alone."""

import struct


def quantity(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    while True:
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at


def read(data: bytes):
    """(format, ticks, tracks), a track being a list of (tick, status, data)."""
    assert data[:4] == b"MThd"
    length, kind, count, ticks = struct.unpack(">IHHH", data[4:14])
    assert length == 6
    at, tracks = 14, []
    for _ in range(count):
        assert data[at : at + 4] == b"MTrk"
        end = at + 8 + struct.unpack(">I", data[at + 4 : at + 8])[0]
        at += 8
        tick, events = 0, []
        while at < end:
            delta, at = quantity(data, at)
            tick += delta
            status = data[at]
            if status == 0xFF:
                size, start = quantity(data, at + 2)
                events.append((tick, 0xFF00 | data[at + 1], data[start : start + size]))
                at = start + size
            else:
                size = 1 if status & 0xF0 == 0xC0 else 2
                events.append((tick, status, data[at + 1 : at + 1 + size]))
                at += 1 + size
        assert at == end
        assert events[-1][1] == 0xFF2F
        tracks.append(events)
    assert at == len(data)
    return kind, ticks, tracks
