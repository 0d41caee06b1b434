"""Many songs on one model: who is in the batch of the next step, and who waits; knows nothing of requests.

One thread owns the model. Between any two steps songs join and leave. Songs that are read and have the least made
ahead go first. A song that finds no slot waits its turn, in order of arrival; to make room, a song that is not being
waited for gives up its slots, else the one that has had them longest, after ``QUANTUM`` steps. Giving up costs only
time: the tokens stay, and the slot is filled again. When a step fails, the songs that it was for fail with it; others,
and those asked for afterwards, play. With nothing to make, the thread sleeps; on a CPU it ends after a while, and with
it its team of OpenMP threads, which would hold up another model (see ``device.apart``).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from ...errors import Busy, EngineFailed, LullwaveError, StreamClosed
from .attention import Cache
from .chunk_decoder import Sound, SoundMaker
from .prefill import Prefill
from .sampling import uniforms
from .song import Song
from .stepper import Job, Stepper

log = logging.getLogger(__name__)

QUANTUM = 100  # steps that a song may keep its slots while others wait
IDLE_S = 2.0  # how long the thread of a model on a CPU waits for something to do
WAITING_PER_SLOT = 4  # songs that may be open, for each slot


@dataclass
class _Place:
    """A song in the scheduler."""

    song: Song
    reading: bool = False  # somebody has begun to read
    closed: bool = False
    steps: int = 0  # since it was given its slots
    error: BaseException | None = None  # why it cannot go on


@dataclass
class _Work:
    """What to do next, decided under the lock and done without it."""

    sounds: list[Song] = field(default_factory=list)
    fill: list[Song] = field(default_factory=list)
    steps: list[Song] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.sounds or self.fill or self.steps)


class Scheduler:
    """Drives the model for any number of songs."""

    def __init__(
        self,
        stepper: Stepper,
        prefill: Prefill,
        sounds: SoundMaker,
        cache: Cache,
        shared_step: bool,
        set_up_thread: Callable[[], None],
    ) -> None:
        """``shared_step``: a step costs the same for all songs, so that nobody need be left out of it."""
        self._stepper, self._prefill, self._sounds = stepper, prefill, sounds
        self._shared_step, self._set_up_thread = shared_step, set_up_thread
        self._free = list(range(cache.slots))[::-1]
        self._places: dict[Song, _Place] = {}
        self._queue: list[Song] = []
        self._most = WAITING_PER_SLOT * cache.slots
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._closed = False
        self._thread: threading.Thread | None = None
        self.steps = 0
        self.busy_s = 0.0

    def join(self, song: Song) -> None:
        """Take a song in. It is made when it is read.

        Raises:
            Busy: too many are open.
        """
        with self._changed:
            self._check(None)
            if len(self._places) >= self._most:
                raise Busy(f"{len(self._places)} songs are open on this model, the most that it takes", 5.0)
            self._places[song] = _Place(song)

    def leave(self, song: Song) -> None:
        """Let a song go; its slots are free at once."""
        with self._changed:
            place = self._places.pop(song, None)
            if place is not None:
                place.closed = True
                self._take_slots(song)
                if song in self._queue:
                    self._queue.remove(song)
            song.donor = None
            for other in song.branches:  # nothing is left to borrow
                other.donor = None
            song.epoch += 1
            self._changed.notify_all()

    def change(self, song: Song, how: Callable[[Song], None]) -> None:
        """Change a song between two steps."""
        with self._changed:
            self._check(song)
            how(song)
            self._changed.notify_all()

    def branch(self, song: Song, chunk: int) -> Song:
        """A second song with the same past; it joins."""
        with self._changed:
            self._check(song)
            other = song.branch(chunk)
        self.join(other)
        return other

    def sound(self, song: Song, chunk: int) -> Sound:
        """A chunk of a song, made now if it is not there.

        Raises:
            StreamClosed, EngineFailed
        """
        with self._changed:
            self._check(song)
            self._places[song].reading = True
            if song.reading != chunk or chunk not in song.sound:
                song.reading = chunk
                self._wake()
            while chunk not in song.sound:
                self._check(song)
                self._changed.wait()
            self._check(song)
            found: Sound = song.sound[chunk]
            return found

    @property
    def load(self) -> dict[str, int]:
        """How many songs are open, hold slots, and wait for them."""
        with self._changed:
            held = sum(bool(song.slots) for song in self._places)
            return {"open": len(self._places), "playing": held, "waiting": len(self._queue)}

    def close(self) -> None:
        """End the thread; songs still open are closed."""
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
        place = None if song is None else self._places.get(song)
        error = self._error or (place.error if place is not None else None)
        if error is not None:
            raise EngineFailed(f"MusicGen stopped: {error}") from error
        if self._closed or (song is not None and place is None):
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
                        self._give_up(list(self._places), error)  # nobody knows which of them it was
        except Exception as error:
            log.exception("the model's thread stopped")
            with self._changed:
                self._error = _explained(error)
                self._changed.notify_all()

    def _round(self) -> bool:
        """Wait for something to do, and do it once; False when there was nothing for so long that the thread ends."""
        with self._changed:
            while not self._closed and not (work := self._plan()):
                woken = self._changed.wait(None if self._shared_step else IDLE_S)
                if not woken and not self._queue and not self._plan():
                    self._thread = None
                    return False
            if self._closed:
                return False
        began = time.perf_counter()
        self._do(work)
        self.busy_s += time.perf_counter() - began
        return True

    def _give_up(self, songs: Iterable[Song], error: BaseException) -> None:
        """Songs that were being made end; the model is there for others."""
        log.error("a song cannot go on", exc_info=error)
        with self._changed:
            for song in songs:
                place = self._places.get(song)
                if place is not None and (place.reading or song.slots):
                    place.reading, place.error = False, _explained(error)
                    self._take_slots(song)
                    song.epoch += 1
            self._changed.notify_all()

    @contextmanager
    def _alone(self, song: Song) -> Iterator[None]:
        """What fails inside the block ends this song alone."""
        try:
            yield
        except Exception as error:
            self._give_up([song], error)

    def _plan(self) -> _Work:
        """Decide what to do next (the lock is held)."""
        wanting = [p.song for p in self._places.values() if p.reading and p.song.wants]
        work = _Work(sounds=[song for song in wanting if song.can_sound(song.ready)])
        stepping = [s for s in wanting if s not in work.sounds and (s.last_step is None or s.step < s.last_step)]
        for song in stepping:
            if not song.slots and song not in self._queue:
                self._queue.append(song)
        self._queue = [song for song in self._queue if song in stepping]
        self._admit(stepping)
        seated = [song for song in stepping if song.slots]
        if seated and not self._shared_step:
            least = min(song.ready - song.reading for song in seated)
            seated = [song for song in seated if song.ready - song.reading == least]
        for song in seated:
            (work.fill if self._prefill.owed(song) else work.steps).append(song)
        return work

    def _admit(self, stepping: list[Song]) -> None:
        """Give slots to those who wait longest."""
        while self._queue:
            song = self._queue[0]
            if len(self._free) < song.slots_wanted and not self._make_room(stepping):
                return
            if len(self._free) >= song.slots_wanted:
                self._queue.pop(0)
                song.slots = tuple(self._free.pop() for _ in range(song.slots_wanted))
                song.filled.clear()
                self._places[song].steps = 0

    def _make_room(self, stepping: list[Song]) -> bool:
        """Take the slots of a song that can spare them."""
        seated = [place for place in self._places.values() if place.song.slots]
        idle = [place for place in seated if place.song not in stepping]
        served = [place for place in seated if place.steps >= QUANTUM]
        if not idle and not served:
            return False
        loser = max(idle or served, key=lambda place: (place.song.ready - place.song.reading, place.steps)).song
        self._take_slots(loser)
        if loser in stepping:
            self._queue.append(loser)
        return True

    def _take_slots(self, song: Song) -> None:
        self._free.extend(song.slots)
        self._free.sort(reverse=True)  # low slots first: a GPU steps all slots up to the highest in use
        song.slots = ()
        song.filled.clear()

    def _do(self, work: _Work) -> None:
        """One round: sound that can be made, a piece of what is to be filled, a step of the rest."""
        for song in work.sounds:
            with self._alone(song):
                self._make_sound(song)
        for song in work.fill:
            with self._alone(song), self._changed:
                owed = self._prefill.owed(song) if song.slots else None
                if owed is not None:
                    self._prefill.piece(song, *owed)
        if work.steps:
            self._step(work.steps)

    def _make_sound(self, song: Song) -> None:
        with self._changed:
            if song not in self._places or not (song.wants and song.can_sound(song.ready)):
                return
            chunk, epoch = song.ready, song.epoch
        sound, point = self._sounds.make(song, chunk)
        with self._changed:
            if song.epoch == epoch:
                song.sounded(chunk, sound, point)
                self._changed.notify_all()

    def _step(self, songs: list[Song]) -> None:
        with self._changed:
            songs = [song for song in songs if song.slots and not self._prefill.owed(song)]
            if not songs:
                return
            jobs = [self._job(song) for song in songs]
            epochs = [song.epoch for song in songs]
        tokens = self._stepper.run(jobs).numpy()
        with self._changed:
            self.steps += 1
            for song, epoch, row in zip(songs, epochs, tokens, strict=True):
                if song.epoch == epoch and song in self._places:
                    song.accept(row)
                    self._places[song].steps += 1

    def _job(self, song: Song) -> Job:
        main, shadow = song.program.main(song.step), song.program.shadow(song.step)
        lane = self._prefill.lane(song, main, song.step - main.first, heard=True)
        self._prefill.held(song, main).count = song.step - main.first + 1
        second = None
        if shadow is not None and not self._prefill.unused(song, shadow):
            second = self._prefill.lane(song, shadow, song.step - shadow.first, heard=False)
            self._prefill.held(song, shadow).count = song.step - shadow.first + 1
        chance = uniforms(song.seed, song.step, song.shape.codebooks)
        return Job(lane, second, song.sampling, chance)


def _explained(error: BaseException) -> BaseException:
    """Out of memory, with the remedy."""
    if isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error):
        return LullwaveError(f"out of memory: {error}; use fewer songs (max_songs), a smaller model or a smaller dtype")
    return error
