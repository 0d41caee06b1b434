"""Keeps a station's reserve full from an engine, turns it when somebody steers, and replaces an engine that breaks.

One thread. Knows nothing of mastering, of the clock or of listeners; it only sees how much is left in the reserve.

Steering forks the stream at a beat a little after the air edge, renders the fork until it is ahead by a margin and
puts it in place of the reserve from there on. Up to the fork both play the same samples, so that nothing is heard
of the splice. When the air edge gets there first, the fork is thrown away and tried further ahead; at worst the
stream is steered where the reserve ends.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np

from ..engines.base import Engine, Understanding
from ..errors import EngineError, EngineFailed, LullwaveError, StreamClosed
from ..request import Request
from .comeback import Comeback, Opening
from .feed import RATE, Feed
from .reserve import Block, Reserve, State, join

STEP_S = 0.5  # how much is made at a time
LEAD_S = 2.0  # a fork begins at least this far after the air edge
MARGIN_S = 1.0  # a fork takes over when it is this far ahead
STATE_S = 60.0  # how often the state is kept
CROSSFADE_S = 2.0  # from a broken engine's last music into the embedded engine's
RETRY_S = 1.0
EMBEDDED = "synth"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Steered:
    """What became of a wish."""

    frame: int  # the station frame from which it is heard
    understanding: Understanding


@dataclass
class _Wish:
    prompt: str
    over_s: float
    done: Future[Steered]


class Producer:
    """The thread that makes a station's music ahead of the air."""

    def __init__(
        self,
        name: str,
        reserve: Reserve,
        engine: Callable[[str], Engine],
        engine_name: str,
        request: Request,
        target_s: float,
        embedded: str = EMBEDDED,
    ) -> None:
        self._name = name
        self._reserve = reserve
        self._engine = engine
        self._engine_name = engine_name
        self._embedded = embedded
        self._request = request
        self._prompt = request.prompt  # in force now
        self._comeback = Comeback(engine_name, lambda: engine(engine_name), round((CROSSFADE_S + 2 * STEP_S) * RATE))
        self._target = round(target_s * RATE)
        self._wishes: deque[_Wish] = deque()
        self._stopping = threading.Event()
        self._feed: Feed | None = None
        self._playing = ""  # the engine behind the feed
        self._since_state = 0  # frames
        self._speed = 4.0  # seconds of music per second, measured; a cautious guess at first
        self._failures = 0
        self._opening: Opening | None = None  # of an engine that broke and works again
        self._thread = threading.Thread(target=self._run, name=f"producer-{name}", daemon=True)

    @property
    def playing(self) -> str:
        """The engine that makes the music now."""
        return self._playing or self._engine_name

    @property
    def speed(self) -> float:
        """Seconds of music made per second of work, lately."""
        return self._speed

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread as soon as its engine lets go."""
        self._stopping.set()
        self._reserve.close()
        if self._feed is not None:
            self._feed.close()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread's end; False when it is still busy."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def aim(self, target_s: float) -> None:
        """How much the reserve is to hold, from now on."""
        with self._reserve.changed:
            self._target = round(target_s * RATE)
            self._reserve.changed.notify_all()

    def steer(self, prompt: str, over_s: float = 8.0) -> Future[Steered]:
        """Turn the music towards ``prompt`` as soon as can be. From any thread."""
        wish = _Wish(prompt, over_s, Future())
        with self._reserve.changed:
            self._wishes.append(wish)
            self._reserve.changed.notify_all()
        return wish.done

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                feed = self._feed or self._begin()
                wish = self._wait()
                if self._stopping.is_set():
                    break
                if wish is not None:
                    self._turn(feed, wish)
                else:
                    block = self._block(feed)
                    self._reserve.append(block)
                    self._failures = 0
                    if self._playing != self._engine_name:
                        self._come_back(feed, [m.frame for m in block.marks if m.kind == "piece"])
            except StreamClosed:
                if not self._stopping.is_set():
                    self._replace(EngineFailed("the stream was closed"))
            except Exception as error:  # whatever an engine of any kind raises, the music must go on
                self._replace(error)
        for wish in self._wishes:
            wish.done.cancel()
        self._comeback.close()
        if self._opening is not None:
            self._opening.feed.close()
        if self._feed is not None:
            self._feed.close()

    def _wait(self) -> _Wish | None:
        """Until there is room in the reserve, or a wish."""
        with self._reserve.changed:
            self._reserve.changed.wait_for(
                lambda: self._stopping.is_set() or self._wishes or self._reserve.frames < self._target
            )
            return self._wishes.popleft() if self._wishes else None

    def _begin(self) -> Feed:
        """The first stream."""
        stream = self._engine(self._engine_name).stream(replace(self._request, prompt=self._prompt))
        self._feed, self._playing = Feed(stream, self._reserve.end), self._engine_name
        self._since_state = round(STATE_S * RATE)  # at once
        return self._feed

    def _block(self, feed: Feed, frames: int = round(STEP_S * RATE)) -> Block:
        """The next block of ``feed``, with all that is known about it."""
        states: tuple[State, ...] = ()
        if self._since_state >= STATE_S * RATE:
            states = self._state(feed)
        began = time.perf_counter()
        start = feed.position
        samples = feed.read(frames)
        took = time.perf_counter() - began
        self._speed += 0.2 * (frames / RATE / max(took, 1e-4) - self._speed)
        self._since_state += frames
        return Block(
            start,
            samples,
            tuple(feed.marks(start, feed.position)),
            tuple(feed.beats(start, feed.position)),
            states,
        )

    def _state(self, feed: Feed) -> tuple[State, ...]:
        self._since_state = 0
        try:
            frame, snapshot = feed.snapshot()
        except EngineError:
            return ()
        return (State(frame, self._playing, snapshot),)

    def _turn(self, feed: Feed, wish: _Wish) -> None:
        """Grant a wish; a wish that cannot be granted hurts nobody but the one who made it."""
        if not wish.done.set_running_or_notify_cancel():
            return
        try:
            steered = self._turned(feed, wish)
        except (StreamClosed, EngineFailed) as error:
            wish.done.set_exception(error)
            raise
        except Exception as error:
            wish.done.set_exception(error)
            if not isinstance(error, LullwaveError):
                raise
            return
        self._prompt = wish.prompt
        wish.done.set_result(steered)

    def _turned(self, feed: Feed, wish: _Wish) -> Steered:
        lead_s = max(LEAD_S, 1.5 * MARGIN_S / self._speed + STEP_S)
        while (at := self._fork_frame(feed, lead_s)) is not None:
            try:
                fork = feed.fork(at)
            except EngineError:
                break
            self._since_state = round(STATE_S * RATE)
            try:
                understanding = fork.steer(wish.prompt, wish.over_s)
                ahead: list[Block] = []
                while fork.position < max(at, self._reserve.begin) + MARGIN_S * RATE and self._reserve.begin < at:
                    ahead.append(self._block(fork))
            except BaseException:
                fork.close()
                raise
            with self._reserve.changed:
                in_time = self._reserve.begin <= at and bool(ahead)
                if in_time:
                    self._reserve.cut(at)
                    self._reserve.append(join(ahead))
                    self._feed = fork
            if in_time:
                feed.close()
                return Steered(at, understanding)
            fork.close()
            lead_s *= 2.0
        self._since_state = round(STATE_S * RATE)
        return Steered(feed.position, feed.steer(wish.prompt, wish.over_s))

    def _fork_frame(self, feed: Feed, lead_s: float) -> int | None:
        """The first beat after the lead that a fork can reach; None when that is the end of the reserve."""
        back_s = self._engine(self._playing).rewindable_s
        first = max(self._reserve.begin + round(lead_s * RATE), feed.position - int(back_s * RATE))
        if first >= feed.position:
            return None
        beats = self._reserve.beats(first, min(first + 2 * RATE, feed.position))
        return beats[0] if beats else first

    def _replace(self, error: Exception) -> None:
        """Go on with the embedded engine, by a crossfade out of what is left of the broken one's music."""
        broken, self._feed = self._feed, None
        self._failures += 1
        if self.playing == self._engine_name != self._embedded:
            again = self._comeback.failures
            self._comeback.failed(self._reserve.end)
            if again:
                log.info("station %s: engine %s failed again: %s", self._name, self.playing, error)
            else:
                log.error("station %s: engine %s failed: %s", self._name, self.playing, error, exc_info=error)
        elif self._failures == 1:
            log.error("station %s: engine %s failed: %s", self._name, self.playing, error, exc_info=error)
        if broken is not None:
            broken.close()
        if self._failures > 2:
            self._stopping.wait(RETRY_S)
        try:
            seed = (self._request.seed + self._failures) % 2**63
            stream = self._engine(self._embedded).stream(Request(self._prompt, seed))
            overlap = min(round(CROSSFADE_S * RATE), self._reserve.frames)
            feed = Feed(stream, self._reserve.end - overlap)
            self._playing = self._embedded
            self._since_state = 0
            states = self._state(feed)
            block = self._block(feed, overlap + round(STEP_S * RATE))
            with self._reserve.changed:
                at = max(block.frame, self._reserve.begin)
                states = tuple(State(at, s.engine, s.snapshot, skip=at - s.frame) for s in states)
                tail = self._reserve.cut(at)
                self._reserve.append(_crossfaded(tail, block.part(at, block.end), states))
            self._feed = feed
        except Exception as again:  # even the embedded engine: try once more, with patience
            self._feed = None
            log.debug("station %s: no replacement yet: %s", self._name, again)

    def _come_back(self, feed: Feed, pieces: list[int]) -> None:
        """At the end of a piece of the embedded engine's, cross over to the station's own, if it works again."""
        seed = (self._request.seed + 1 + feed.position // RATE) % 2**63
        if not pieces and self._opening is None:
            self._opening = self._comeback.ready(feed.position, Request(self._prompt, seed))
        if not pieces or self._opening is None:
            return
        opening, self._opening = self._opening, None
        with self._reserve.changed:
            at = max(pieces[0] - round(CROSSFADE_S * RATE), self._reserve.begin)
            opening.feed.move(at)
            block = opening.block.moved(at)
            tail = self._reserve.cut(at)
            states, block = block.states, replace(block, states=())
            self._reserve.append(_crossfaded(tail, block, states))
        self._feed, self._playing = opening.feed, self._engine_name
        self._since_state = 0
        self._comeback.returned(at)
        feed.close()
        log.info("station %s: engine %s plays again", self._name, self._engine_name)
        if opening.prompt != self._prompt:
            opening.feed.steer(self._prompt, CROSSFADE_S)


def _crossfaded(tail: Block | None, block: Block, states: tuple[State, ...]) -> Block:
    """``block`` with the end of the music before it fading out underneath, at equal power."""
    n = len(tail.samples) if tail is not None else 0
    samples = block.samples.copy()
    if tail is not None:
        angle = 0.5 * np.pi * (np.arange(n) + 0.5) / n
        samples[:n] *= np.sin(angle)[:, None].astype(np.float32)
        samples[:n] += tail.samples * np.cos(angle)[:, None].astype(np.float32)
    marked = tuple(replace(s, overlap=n) for s in states)
    return Block(block.frame, samples, block.marks, block.beats, marked)
