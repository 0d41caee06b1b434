"""Where another station goes on with the music that a station plays, from its own frame 0 on.

The other station restores a snapshot of the engine at the wanted frame. Where the engine has none there, or does not
answer soon, it restores the last one that was taken before (a source takes one every few seconds), and renders and
drops what lies between the two; it begins a little later where that would take too long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from ..errors import EngineLost, StreamClosed
from ..mastering.biquads import F64
from .adapter import RATE
from .events import NowPlaying
from .primary import ResumePoint
from .reserve import Reserve
from .source import Source, StreamSnapshot

MAX_CATCH_UP_S = 2.0  # seconds of work to render music that is dropped; beyond that, begin at a later snapshot
ANSWER_S = 1.0  # longest wait for a snapshot at the wanted frame
MAX_BACK_S = 15.0  # how far before the next frame to go on air a fork may begin: listeners are seconds behind it


@dataclass(frozen=True)
class Fork:
    """What a new station needs to go on with the music of another one."""

    frame: int  # of the other station: the new one begins there
    prompt: str  # in force at that frame
    resume: ResumePoint | None  # None: no snapshot is at hand, so a new stream of the prompt begins
    now: NowPlaying | None  # the piece on air, in frames of the new station
    level: Mapping[str, F64]  # of its level control: the loudness goes on, too
    begin: int = 0  # the frame with which the new station begins


def fork(
    source: Source | None,
    reserve: Reserve,
    frame: int | None,
    prompt: str,
    pieces: Sequence[NowPlaying | None],
    level: Mapping[str, F64],
) -> Fork:
    """The fork of a station at ``frame``, at most ``MAX_BACK_S`` ago; None: what goes on air next. Any thread.

    ``source`` is that of the station's own engine, if it is on air; ``prompt`` the station's, ``pieces`` its last ones,
    the newest first.
    """
    edge = reserve.begin
    begin = edge if frame is None else max(edge - round(MAX_BACK_S * RATE), min(frame, edge))
    point = None if source is None else resume_point(source, reserve, begin)
    if point is None:
        return Fork(begin, prompt, None, None, level)
    begin = point.until + point.offset
    begun = next((piece for piece in pieces if piece is not None and piece.started_frame <= begin), None)
    now = None if begun is None else NowPlaying(begun.started_frame - begin, begun.data)
    return Fork(begin, point.snapshot.prompt, ResumePoint(point.snapshot, point.until, -point.until), now, level)


def resume_point(source: Source, reserve: Reserve, frame: int) -> ResumePoint | None:
    """Where the music of ``source``, which is on air, can be continued: at station frame ``frame`` or a little later.

    None if the engine has no snapshots.
    """
    with reserve.lock:
        wanted = max(min(frame, reserve.end), reserve.faded_until) - source.offset
        snapshots, speed = source.snapshots, source.pace.speed
    before = [snapshot for snapshot in snapshots if snapshot.frame <= wanted]
    if before and (exact := snapshot_at(source, wanted, before[-1].prompt)) is not None:
        return ResumePoint(exact, wanted, source.offset)
    after = [snapshot for snapshot in snapshots if snapshot.frame > wanted]
    late = not before or (wanted - before[-1].frame) / RATE > MAX_CATCH_UP_S * speed
    found = after[0] if after and late else before[-1] if before else None
    return None if found is None else ResumePoint(found, max(wanted, found.frame), source.offset)


def snapshot_at(source: Source, frame: int, prompt: str) -> StreamSnapshot | None:
    """A snapshot at or just before source frame ``frame``, where ``prompt`` was in force; None if there is none.

    Waits ``ANSWER_S`` at most. Any thread but the source's.
    """
    answer: Future[StreamSnapshot | None] = Future()

    def take() -> None:
        found = None
        with suppress(EngineLost, StreamClosed):  # the next read tells
            if source.stream is not None:
                found = source.take_snapshot(source.stream, prompt, frame)
        answer.set_result(found)

    source.submit(take)
    try:
        return answer.result(ANSWER_S)
    except TimeoutError:
        return None
