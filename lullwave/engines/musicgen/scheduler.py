"""Schedules many songs on one model: continuous batching with preemption.

One thread owns the model. Songs are added and removed between steps. Of the songs that are being read, those with the
least audio made ahead go first; others join them while the step stays within real time. A song without slots queues
in order of arrival. To make room, the scheduler preempts a song that needs no chunk now, else the one with slots for
longest, after ``QUANTUM`` steps. Preemption costs only time: the tokens stay, and the slots are filled again later.
When a step fails, the songs of that step fail; others and new ones play on. The thread sleeps while there is nothing
to do. On a CPU it ends after ``IDLE_S``, and with it its team of OpenMP threads, which would slow down another model
(see ``device.run_on_new_thread``).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from ...errors import Busy, EngineFailed, LullwaveError, StreamClosed
from .chunk_decoder import ChunkDecoder, DecodedChunk
from .model.config import FRAME_RATE
from .model.kv_cache import KVCache
from .prefill import Prefill
from .sampling import uniforms
from .song import Song
from .step_cost import StepCost, StepSize
from .stepper import StepJob, Stepper

log = logging.getLogger(__name__)

QUANTUM = 100  # steps after which a song can be preempted while others wait
IDLE_S = 2.0  # idle time after which the thread of a model on a CPU ends
OPEN_PER_SLOT = 4  # most songs that may be open, per slot


@dataclass
class _Entry:
    """The scheduler's state of a song."""

    song: Song
    reading: bool = False  # a read has begun
    steps: int = 0  # since it got its slots
    error: BaseException | None = None  # why it failed


@dataclass
class _Work:
    """The next round of work: planned under the lock, done without it."""

    decode: list[Song] = field(default_factory=list)
    fill: list[Song] = field(default_factory=list)
    steps: list[Song] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.decode or self.fill or self.steps)


class Scheduler:
    """Runs the model for any number of songs; thread-safe."""

    def __init__(
        self,
        stepper: Stepper,
        prefill: Prefill,
        chunk_decoder: ChunkDecoder,
        cache: KVCache,
        shared_step: bool,
        set_up_thread: Callable[[], None],
    ) -> None:
        """``shared_step``: a step costs the same for any number of songs, so that no song has to wait."""
        self._stepper, self._prefill, self._chunk_decoder = stepper, prefill, chunk_decoder
        self._shared_step, self._set_up_thread = shared_step, set_up_thread
        self._free = list(range(cache.slots))[::-1]
        self._entries: dict[Song, _Entry] = {}
        self._queue: list[Song] = []
        self._max_songs = OPEN_PER_SLOT * cache.slots
        self._cost = StepCost()
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def add(self, song: Song) -> None:
        """Add a song. Its chunks are made from the first read on.

        Raises:
            Busy: too many songs are open.
        """
        with self._changed:
            self._check(None)
            if len(self._entries) >= self._max_songs:
                raise Busy(f"{len(self._entries)} songs are open on this model, which is its limit", 5.0)
            self._entries[song] = _Entry(song)

    def remove(self, song: Song) -> None:
        """Remove a song and free its slots."""
        with self._changed:
            entry = self._entries.pop(song, None)
            if entry is not None:
                self._take_slots(song)
                if song in self._queue:
                    self._queue.remove(song)
            song.parent = None
            for other in song.branches:  # its slots can no longer be copied
                other.parent = None
            song.epoch += 1
            self._changed.notify_all()

    def update(self, song: Song, change: Callable[[Song], None]) -> None:
        """Call ``change(song)`` between two steps."""
        with self._changed:
            self._check(song)
            change(song)
            self._changed.notify_all()

    def branch(self, song: Song, chunk: int) -> Song:
        """Add a second song that is the same up to ``chunk``."""
        with self._changed:
            self._check(song)
            other = song.branch(chunk)
        self.add(other)
        return other

    def chunk(self, song: Song, chunk: int) -> DecodedChunk:
        """Wait for a chunk of a song.

        Raises:
            StreamClosed, EngineFailed
        """
        with self._changed:
            self._check(song)
            self._entries[song].reading = True
            if song.reading != chunk or chunk not in song.chunks:
                song.reading = chunk
                self._wake()
            while chunk not in song.chunks:
                self._check(song)
                self._changed.wait()
            self._check(song)
            found: DecodedChunk = song.chunks[chunk]
            return found

    @property
    def load(self) -> dict[str, int]:
        """Number of songs that are open, hold slots, and wait for slots."""
        with self._changed:
            held = sum(bool(song.slots) for song in self._entries)
            return {"open": len(self._entries), "playing": held, "waiting": len(self._queue)}

    def close(self) -> None:
        """End the thread; reads of open songs raise ``StreamClosed``."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="musicgen", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _check(self, song: Song | None) -> None:
        entry = None if song is None else self._entries.get(song)
        error = self._error or (entry.error if entry is not None else None)
        if error is not None:
            raise EngineFailed(f"MusicGen stopped: {error}") from error
        if self._closed or (song is not None and entry is None):
            raise StreamClosed("the stream was closed")

    def _run(self) -> None:
        try:
            self._set_up_thread()
            with torch.inference_mode():
                while not self._closed:
                    try:
                        if not self._round():
                            return
                    except Exception as error:
                        self._fail(list(self._entries), error)  # it is unknown which song caused it
        except Exception as error:
            log.exception("the model's thread stopped")
            with self._changed:
                self._error = _with_remedy(error)
                self._changed.notify_all()

    def _round(self) -> bool:
        """Wait for work and do one round; return False when the thread ends because it was idle."""
        with self._changed:
            while not self._closed and not (work := self._plan()):
                woken = self._changed.wait(None if self._shared_step else IDLE_S)
                if not woken and not self._queue and not self._plan():
                    self._thread = None
                    return False
            if self._closed:
                return False
        self._do(work)
        return True

    def _fail(self, songs: Iterable[Song], error: BaseException) -> None:
        """Fail the given songs, if they are being read, and free their slots."""
        log.error("songs failed", exc_info=error)
        with self._changed:
            for song in songs:
                entry = self._entries.get(song)
                if entry is not None and (entry.reading or song.slots):
                    entry.reading, entry.error = False, _with_remedy(error)
                    self._take_slots(song)
                    song.epoch += 1
            self._changed.notify_all()

    @contextmanager
    def _isolated(self, song: Song) -> Iterator[None]:
        """Let an error inside the block fail only this song."""
        try:
            yield
        except Exception as error:
            self._fail([song], error)

    def _plan(self) -> _Work:
        """Plan the next round; needs the lock."""
        wanted = [p.song for p in self._entries.values() if p.reading and p.song.wants_chunks]
        work = _Work(decode=[song for song in wanted if song.can_decode(song.ready)])
        stepping = [s for s in wanted if s not in work.decode and (s.last_step is None or s.step < s.last_step)]
        for song in stepping:
            if not song.slots and song not in self._queue:
                self._queue.append(song)
        self._queue = [song for song in self._queue if song in stepping]
        self._admit(stepping)
        holding = [song for song in stepping if song.slots]
        for song in holding if self._shared_step else self._in_time(holding):
            (work.fill if self._prefill.pending(song) else work.steps).append(song)
        return work

    def _in_time(self, songs: list[Song]) -> list[Song]:
        """The songs with the least audio ahead, and others as long as a step of all of them keeps up with real time.

        Rows of one step share the reading of the weights, so a song that can join costs less than in a step of its own.
        """
        songs = sorted(songs, key=lambda song: song.ready - song.reading)
        chosen: list[Song] = []
        for song in songs:
            if chosen and song.ready - song.reading > songs[0].ready - songs[0].reading:
                expected = self._cost.seconds(self._size([*chosen, song]))
                if expected is None or expected > 1.0 / FRAME_RATE:
                    break
            chosen.append(song)
        return chosen

    def _size(self, songs: Sequence[Song]) -> StepSize:
        """Rows and positions of a step of these songs, on average."""
        rows = positions = 0
        for song in songs:
            windows = (song.schedule.window_at(song.step), song.schedule.next_window(song.step))
            filled = [
                w for w in windows if w is not None and not (w is windows[1] and self._prefill.never_used(song, w))
            ]
            rows += len(filled) * (1 + song.guided)
            for window in filled:
                prefix = next((held.prefix for held in song.contents.values() if held.number == window.number), 0)
                positions += (1 + song.guided) * (prefix + song.step - window.first + 1)
        return StepSize(rows, positions)

    def _admit(self, stepping: list[Song]) -> None:
        """Give free slots to queued songs, first come, first served."""
        while self._queue:
            song = self._queue[0]
            if len(self._free) < song.slots_wanted and not self._make_room(stepping):
                return
            if len(self._free) >= song.slots_wanted:
                self._queue.pop(0)
                song.slots = tuple(self._free.pop() for _ in range(song.slots_wanted))
                song.contents.clear()
                self._entries[song].steps = 0

    def _make_room(self, stepping: list[Song]) -> bool:
        """Preempt one song; return False if none can be preempted."""
        holding = [entry for entry in self._entries.values() if entry.song.slots]
        idle = [entry for entry in holding if entry.song not in stepping]
        served = [entry for entry in holding if entry.steps >= QUANTUM]
        if not idle and not served:
            return False
        loser = max(idle or served, key=lambda entry: (entry.song.ready - entry.song.reading, entry.steps)).song
        self._take_slots(loser)
        if loser in stepping:
            self._queue.append(loser)
        return True

    def _take_slots(self, song: Song) -> None:
        self._free.extend(song.slots)
        self._free.sort(reverse=True)  # lowest first: a GPU computes all slots up to the highest in use
        song.slots = ()
        song.contents.clear()

    def _do(self, work: _Work) -> None:
        """Do one round: decode chunks, fill a piece of each slot that needs it, step the other songs."""
        for song in work.decode:
            with self._isolated(song):
                self._decode_chunk(song)
        for song in work.fill:
            with self._isolated(song), self._changed:
                pending = self._prefill.pending(song) if song.slots else None
                if pending is not None:
                    self._prefill.fill_piece(song, *pending)
        if work.steps:
            self._step(work.steps)

    def _decode_chunk(self, song: Song) -> None:
        with self._changed:
            if song not in self._entries or not (song.wants_chunks and song.can_decode(song.ready)):
                return
            chunk, epoch = song.ready, song.epoch
        decoded, point = self._chunk_decoder.decode(song, chunk)
        with self._changed:
            if song.epoch == epoch:
                song.store_chunk(chunk, decoded, point)
                self._changed.notify_all()

    def _step(self, songs: list[Song]) -> None:
        with self._changed:
            songs = [song for song in songs if song.slots and not self._prefill.pending(song)]
            if not songs:
                return
            jobs = [self._job(song) for song in songs]
            epochs, size = [song.epoch for song in songs], _size_of(jobs)
        began = time.perf_counter()
        tokens = self._stepper.run(jobs).numpy()
        self._cost.learn(size, time.perf_counter() - began)
        with self._changed:
            for song, epoch, row in zip(songs, epochs, tokens, strict=True):
                if song.epoch == epoch and song in self._entries:
                    song.accept(row)
                    self._entries[song].steps += 1

    def _job(self, song: Song) -> StepJob:
        main, upcoming = self._prefill.inputs(song)
        chance = uniforms(song.seed, song.step, song.config.codebooks)
        return StepJob(main, upcoming, song.sampling, chance)


def _size_of(jobs: Sequence[StepJob]) -> StepSize:
    """Rows and positions of a step."""
    items = [item for job in jobs for item in (job.main, *job.upcoming)]
    return StepSize(sum(item.rows for item in items), sum(item.rows * (item.position + 1) for item in items))


def _with_remedy(error: BaseException) -> BaseException:
    """Add the remedy to an out-of-memory error."""
    if isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error):
        return LullwaveError(f"out of memory: {error}; use fewer songs (max_songs), a smaller model or a smaller dtype")
    return error
