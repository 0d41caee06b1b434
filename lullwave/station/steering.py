"""Turns a stream that is on air towards a wish, so that it is heard in seconds; knows no rung.

It forks the stream at a beat a little after the air edge, renders the fork until it is ahead by a margin and puts it
in place of the reserve from there on. Up to the fork both play the same samples, so that nothing is heard of the
splice. When the air edge gets there first, the fork is thrown away and tried further ahead; at worst the stream is
steered where its music ends. All of it on the reader's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

from ..engines.base import Understanding
from ..errors import EngineError, EngineFailed, StreamClosed
from .adapter import RATE, StationStream
from .reserve import Block, Reserve, join
from .source import Source

LEAD_S = 2.0  # a fork begins at least this far after the air edge
MARGIN_S = 1.0  # a fork takes over when it is this far ahead
_STEP_S = 0.5


@dataclass(frozen=True)
class SteerResult:
    """What became of a wish."""

    frame: int  # the station frame from which it is heard
    understanding: Understanding


@dataclass(frozen=True)
class SteerRequest:
    """A prompt that somebody asked for."""

    prompt: str
    over_s: float
    done: Future[SteerResult]


class SourceReplaced(Exception):
    """The reader is not on air any more: somebody else has to grant the wish."""


def turn(reader: Source, reserve: Reserve, wish: SteerRequest, on_air: Callable[[], bool]) -> SteerResult:
    """Grant a wish. ``on_air`` is asked while the reserve's lock is held.

    Raises:
        SourceReplaced, PromptError, EngineError
    """
    feed = reader.feed
    assert feed is not None
    lead_s = max(LEAD_S, 1.5 * MARGIN_S / reader.pace.speed + _STEP_S)
    while (at := _fork_frame(reader, feed, reserve, lead_s, on_air)) is not None:
        own = at - reader.offset
        try:
            fork = feed.fork(own)
        except (EngineFailed, StreamClosed):
            raise
        except EngineError:  # it cannot fork, or not there
            break
        try:
            understanding = fork.steer(wish.prompt, wish.over_s)
            kept = reader.keep(fork, wish.prompt)
            ahead: list[Block] = []
            while (
                fork.position + reader.offset < max(at, reserve.begin) + MARGIN_S * RATE
                and reserve.begin < at
                and not reader.closing
            ):
                ahead.append(reader.block(fork))
        except BaseException:
            fork.close()
            raise
        with reserve.changed:
            if not on_air():
                fork.close()
                raise SourceReplaced
            in_time = reserve.begin <= at and bool(ahead)
            if in_time:
                while (block := reader.take()) is not None:
                    reserve.append(block)
                reserve.cut(at)
                reader.turned(fork, wish.prompt, own, kept)
                state = replace(reader.state_at(own), frame=at)
                reserve.append(replace(join(ahead).moved(reader.offset), restore_points=(state,)))
        if in_time:
            feed.close()
            return SteerResult(at, understanding)
        fork.close()
        lead_s *= 2.0
    return _at_the_end(reader, feed, reserve, wish, on_air)


def _at_the_end(
    reader: Source, feed: StationStream, reserve: Reserve, wish: SteerRequest, on_air: Callable[[], bool]
) -> SteerResult:
    """Turn the stream where its music ends."""
    understanding = feed.steer(wish.prompt, wish.over_s)
    kept = reader.keep(feed, wish.prompt)
    with reserve.changed:
        if not on_air():
            raise SourceReplaced
        frame = feed.position + reader.offset
        while (block := reader.take()) is not None:
            reserve.append(block)
        reader.turned(feed, wish.prompt, feed.position, kept)
    return SteerResult(frame, understanding)


def _fork_frame(
    reader: Source, feed: StationStream, reserve: Reserve, lead_s: float, on_air: Callable[[], bool]
) -> int | None:
    """The first beat after the lead that a fork can reach; None when that is the end of the music."""
    assert reader.engine is not None
    with reserve.changed:
        if not on_air():
            raise SourceReplaced
        while (block := reader.take()) is not None:
            reserve.append(block)
    end = feed.position + reader.offset
    back_s = reader.engine.rewindable_s
    first = max(reserve.begin + round(lead_s * RATE), end - int(back_s * RATE), reserve.faded_until)
    if first >= end:
        return None
    beats = reserve.beats(first, min(first + 2 * RATE, end))
    return beats[0] if beats else first
