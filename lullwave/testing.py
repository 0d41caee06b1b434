"""Tests that every engine passes, for pytest: an engine inherits ``EngineContract`` and is tested.

::

    # test_birdsong.py
    from lullwave.testing import EngineContract
    from lullwave_birdsong import Birdsong

    class TestBirdsong(EngineContract):
        def load(self):
            return Birdsong()

Run it with ``pytest test_birdsong.py``. The class attributes say what the engine can do and how much of its music the
tests read; a slow engine sets a smaller ``read_s`` and lighter ``options``.
"""

from __future__ import annotations

import gc
import threading
import tracemalloc
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import numpy as np
import pytest

from .audio import Audio, Samples, concat
from .engines.base import AudioPrompt, Engine, Stream
from .errors import EngineError, InvalidInput, SnapshotError, StreamClosed
from .options import build, describe
from .request import Request

TOGETHER = 1e-3  # largest difference by batching, as a share of the peak, of an engine that is not ``exact_together``
TIMEOUT_S = 60.0  # longest time that a read may go on after close
HOUR_S = 3600  # seconds of a read that is to be interrupted
STREAMS = 60  # opened and closed by the test of memory
WARM = 20  # of them, before which caches may still grow
GROWTH_BYTES = 1_000_000  # that the memory of Python and NumPy may grow by over the other streams


class EngineContract:
    """The tests. A subclass defines ``load``; each attribute below may be replaced.

    Samples are compared exactly. The engine is loaded once for all tests, and again for two of them.
    """

    prompt: ClassVar[str] = "calm piano"
    other_prompt: ClassVar[str] = "fast drums"  # what the stream is steered to; it must sound different
    options: ClassVar[Mapping[str, Any]] = {}  # Request.options of all streams
    read_s: ClassVar[float] = 1.0  # seconds that one test reads before and after what it does
    heard_within_s: ClassVar[float] = 1.0  # a change of prompt is heard after this long
    steers: ClassVar[bool] = True  # Stream.steer works
    snapshots: ClassVar[bool] = True  # Stream.snapshot, Stream.fork and Engine.restore work
    reproducible: ClassVar[bool] = True  # the same request gives the same samples
    exact_together: ClassVar[bool] = True  # streams that are read at once do not change one another's samples at all
    seeded: ClassVar[bool] = True  # another seed gives other samples

    def load(self) -> Engine:
        """Load a new engine; the caller closes it."""
        raise NotImplementedError("a subclass of EngineContract defines load")

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[Engine]:
        """The engine of all tests of the class."""
        with cls().load() as loaded:
            yield loaded

    # ---- description

    def test_it_is_described_in_full(self, engine: Engine) -> None:
        """Name, one line of summary, rate, channels; the defaults of all options and ``lighter`` are allowed."""
        assert engine.name
        assert engine.summary
        assert "\n" not in engine.summary
        assert 8000 <= engine.rate <= 192_000
        assert engine.channels in (1, 2)
        assert engine.reads_at_once >= 1
        assert engine.rewindable_s >= 0
        assert all(info.limits.doc for info in (*describe(engine.options), *describe(engine.load_options)))
        chosen: dict[str, Any] = {}
        for step in engine.lighter:
            chosen |= step
            build(engine.options, chosen)

    def test_a_block_is_finite_sound_of_the_rate_and_channels_that_were_told(self, engine: Engine) -> None:
        with self._stream(engine) as stream:
            block = stream.read(self._frames(stream))
            assert (block.rate, block.channels) == (stream.rate, stream.channels)
            assert block.frames == stream.position == self._frames(stream)
            assert block.samples.dtype == np.float32
            assert np.isfinite(block.samples).all()
            assert block.samples.any()

    # ---- the same samples

    def test_the_sizes_of_blocks_do_not_matter(self, engine: Engine) -> None:
        with self._stream(engine) as stream, self._stream(engine) as pieces:
            whole = stream.read(2 * self._frames(stream)).samples
            sizes = [1, 0, 699, 4096, round(0.25 * stream.rate), 3]
            parts: list[Samples] = []
            while pieces.position < len(whole):
                size = sizes[len(parts) % len(sizes)]
                parts.append(pieces.read(min(size, len(whole) - pieces.position)).samples)
            assert np.array_equal(np.concatenate(parts), whole)

    def test_a_new_engine_makes_the_same_samples_and_another_seed_others(self, engine: Engine) -> None:
        with self._stream(engine) as stream, self.load() as again, self._stream(again) as same:
            whole = stream.read(self._frames(stream)).samples
            assert np.array_equal(same.read(len(whole)).samples, whole) == self.reproducible
        with self._stream(engine, seed=8) as other:
            assert np.array_equal(other.read(len(whole)).samples, whole) != self.seeded

    def test_streams_that_are_read_at_once_do_not_change_one_another(self, engine: Engine) -> None:
        if not self.reproducible:
            pytest.skip("its samples are not decided by the request")
        with self._stream(engine) as stream:
            whole = stream.read(self._frames(stream)).samples
        made: dict[int, Samples] = {}

        def play(number: int, seed: int) -> None:
            with self._stream(engine, seed=seed) as one:
                made[number] = concat([one.read(len(whole) // 4) for _ in range(4)]).samples

        players = [threading.Thread(target=play, args=(n, seed)) for n, seed in enumerate((7, 8, 7))]
        for player in players:
            player.start()
        for player in players:
            player.join()
        frames = 4 * (len(whole) // 4)
        rounding = 0.0 if self.exact_together else TOGETHER * float(np.abs(whole).max())
        for number in (0, 2):
            assert np.abs(made[number] - whole[:frames]).max() <= rounding
        assert np.array_equal(made[1], whole[:frames]) != self.seeded

    # ---- length

    @pytest.mark.parametrize("duration_s", [1.0, 1.3])
    def test_a_finite_stream_has_its_length_and_then_ends(self, engine: Engine, duration_s: float) -> None:
        with self._stream(engine, duration_s=duration_s) as stream:
            assert stream.total_frames == round(duration_s * stream.rate)
            assert sum(block.frames for block in stream) == stream.position == stream.total_frames
            assert stream.read(100).frames == 0
            assert stream.position == stream.total_frames

    def test_an_endless_stream_has_no_length(self, engine: Engine) -> None:
        with self._stream(engine) as stream:
            assert stream.total_frames is None
            assert stream.read(0).frames == stream.position == 0

    # ---- steering, snapshots, forks

    def test_a_change_of_prompt_is_heard_from_then_on_and_marked(self, engine: Engine) -> None:
        if not self.steers:
            with self._stream(engine) as stream, pytest.raises(EngineError):
                stream.steer(self.other_prompt)
            return
        with self._stream(engine) as stream, self._stream(engine) as plain:
            before = self._frames(stream)
            after = max(before, round(2 * self.heard_within_s * stream.rate))
            first = stream.read(before).samples
            assert stream.steer(self.other_prompt, over_s=0.2).text
            steered = stream.read(after).samples
            expected = plain.read(before + after).samples
            assert np.array_equal(first, expected[:before])
            changed = np.flatnonzero((steered != expected[before:]).any(axis=1))
            assert len(changed)
            assert changed[0] < self.heard_within_s * stream.rate
            (mark,) = [mark for mark in stream.marks(0, stream.position) if mark.kind == "steer"]
            assert mark.data["prompt"] == self.other_prompt
            assert abs(mark.frame - before) <= self.heard_within_s * stream.rate

    def test_a_restored_stream_and_a_fork_go_on_with_the_same_samples(self, engine: Engine) -> None:
        with self._stream(engine) as stream:
            begin = self._frames(stream)
            if not self.snapshots:
                for refused in (stream.snapshot, stream.fork, lambda: engine.restore(b"")):
                    with pytest.raises(EngineError):
                        refused()
                return
            whole = stream.read(begin).samples
            if self.steers:
                stream.steer(self.other_prompt, over_s=0.5)  # still under way in what follows
            stored, fork = stream.snapshot(), stream.fork()
            expected = stream.read(begin).samples
            with fork, engine.restore(stored) as restored:
                assert fork.position == restored.position == begin
                assert restored.request == stream.request
                assert np.array_equal(fork.read(begin).samples, expected)
                assert np.array_equal(restored.read(begin).samples, expected)
            reached = min(begin, int(engine.rewindable_s * stream.rate))
            if reached and not self.steers:
                earlier = 2 * begin - reached
                with stream.fork(earlier) as past:
                    everything = np.concatenate([whole, expected])
                    assert np.array_equal(past.read(reached).samples, everything[earlier:])

    def test_forks_from_before_and_after_a_change_of_prompt_play_what_was_played(self, engine: Engine) -> None:
        with self._stream(engine) as stream:
            begin = self._frames(stream)
            if not (self.snapshots and self.steers and engine.rewindable_s >= 2 * self.read_s):
                pytest.skip("it does not reach so far back")
            whole = stream.read(begin).samples
            stream.steer(self.other_prompt, over_s=0.2)
            with stream.fork(begin // 2) as past:
                assert np.array_equal(past.read(begin - begin // 2).samples, whole[begin // 2 :])
                past.steer(self.prompt)  # the first stream goes on as it would have
                past.read(begin // 2)
            with self._stream(engine) as same:
                same.read(begin)
                same.steer(self.other_prompt, over_s=0.2)
                steered = stream.read(begin).samples
                assert np.array_equal(same.read(begin).samples, steered)
            with stream.fork(begin + begin // 2) as later:
                assert np.array_equal(later.read(begin - begin // 2).samples, steered[begin // 2 :])

    def test_snapshots_that_cannot_be_used_are_refused(self, engine: Engine) -> None:
        for junk in (b"", b"junk", b"{}", b"\0" * 1000):
            with pytest.raises(EngineError):
                engine.restore(junk)
        if not self.snapshots:
            return
        with self._stream(engine) as stream:
            stream.read(100)
            stored = stream.snapshot()
            for at in (-1, stream.position + stream.rate):
                with pytest.raises(SnapshotError):
                    stream.snapshot(at)
                with pytest.raises(SnapshotError):
                    stream.fork(at)
            with pytest.raises(SnapshotError):
                engine.restore(stored[: len(stored) // 2])
            assert stream.read(100).frames == 100

    # ---- marks

    def test_marks_and_beats_lie_in_the_frames_that_were_asked_for(self, engine: Engine) -> None:
        with self._stream(engine) as stream:
            stop = stream.read(2 * self._frames(stream)).frames
            marks, beats = stream.marks(0, stop), stream.beats(0, stop)
            assert [mark.kind for mark in marks[:1]] == ["piece"]
            assert marks[0].frame == 0
            assert marks[0].data["title"]
            frames = [mark.frame for mark in marks]
            assert frames == sorted(frames)
            assert list(beats) == sorted(set(beats))
            assert all(0 <= frame < stop for frame in (*frames, *beats))
            for middle in {1, stop // 2, *frames[:3], *beats[:3]}:
                assert [*stream.marks(0, middle), *stream.marks(middle, stop)] == list(marks)
                assert [*stream.beats(0, middle), *stream.beats(middle, stop)] == list(beats)

    # ---- closing

    def test_a_closed_stream_says_so_and_the_others_go_on(self, engine: Engine) -> None:
        with self._stream(engine) as other:
            stream = self._stream(engine)
            stream.read(100)
            stream.close()
            stream.close()
            with pytest.raises(StreamClosed):
                stream.read(100)
            with pytest.raises(EngineError):
                stream.steer(self.other_prompt)
            assert other.read(100).frames == 100

    def test_closing_from_another_thread_ends_a_read(self, engine: Engine) -> None:
        stream = self._stream(engine)
        ended: list[BaseException | None] = []
        reading = threading.Event()

        def read() -> None:
            try:
                stream.read(10)
                reading.set()
                stream.read(HOUR_S * stream.rate)
                ended.append(None)
            except BaseException as error:
                ended.append(error)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        assert reading.wait(TIMEOUT_S)
        stream.close()
        reader.join(TIMEOUT_S)
        assert not reader.is_alive()
        assert isinstance(ended[0], StreamClosed)

    def test_closing_the_engine_ends_its_streams_or_lets_them_end(self, engine: Engine) -> None:
        """A stream of a closed engine raises an ``EngineError`` or plays on; it neither hangs nor breaks."""
        loaded = self.load()
        stream = self._stream(loaded)
        stream.read(100)
        loaded.close()
        loaded.close()
        with suppress(EngineError):
            assert stream.read(100_000).frames == 100_000
        stream.close()

    def test_many_streams_leave_nothing_behind(self, engine: Engine) -> None:
        threads = threading.active_count()
        gone: list[weakref.ref[Stream]] = []
        tracemalloc.start()
        try:
            for number in range(STREAMS):
                if number == WARM:
                    gc.collect()
                    before = tracemalloc.get_traced_memory()[0]
                with self._stream(engine) as stream:
                    if number % (STREAMS // 2) == 0:
                        stream.read(100)
                gone.append(weakref.ref(stream))
            del stream
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert [number for number, left in enumerate(gone) if left() is not None] == []
        assert grown < GROWTH_BYTES
        assert threading.active_count() <= threads + 2  # a pool that the first streams began

    # ---- errors

    def test_wrong_values_are_refused_by_name(self, engine: Engine) -> None:
        with pytest.raises(InvalidInput, match="no_such_option"):
            engine.stream(Request(self.prompt, options={"no_such_option": 1}))
        prompts: Sequence[AudioPrompt] = ("continue_from", "melody", "source")
        for name in prompts:
            if name not in engine.audio_prompts:
                with pytest.raises(InvalidInput, match=name):
                    engine.stream(self.prompt, **{name: Audio.silence(engine.rate, engine.rate)})
        with self._stream(engine) as stream:
            with pytest.raises(InvalidInput, match="frames"):
                stream.read(-1)
            if self.steers:
                with pytest.raises(InvalidInput):
                    stream.steer("(open")
                with pytest.raises(InvalidInput, match="over_s"):
                    stream.steer(self.other_prompt, over_s=-1.0)
            with self._stream(engine) as plain:
                frames = self._frames(stream)
                assert np.array_equal(stream.read(frames).samples, plain.read(frames).samples) == self.reproducible

    def test_what_it_does_not_write_is_refused_and_what_it_writes_has_its_length(self, engine: Engine) -> None:
        request = self._request(duration_s=2.0)
        if engine.writes_midi:
            assert engine.midi(request).startswith(b"MThd")
            with self._stream(engine) as stream:
                assert engine.midi_of([(stream, stream.rate)]).startswith(b"MThd")
        else:
            with pytest.raises(EngineError):
                engine.midi(request)
        if engine.writes_stems:
            with engine.stream(request) as stream:
                assert {one.frames for one in engine.stems(request).values()} == {stream.total_frames}
                blocks = list(stream.stems(stream.rate))
                mix = np.concatenate([np.sum([one.samples for one in block.values()], axis=0) for block in blocks])
                assert np.abs(mix - stream.read(stream.rate).samples).max() < 1e-3
        else:
            with pytest.raises(EngineError):
                engine.stems(request)

    # ---- inside

    def _request(self, seed: int = 7, duration_s: float | None = None) -> Request:
        return Request(self.prompt, seed, duration_s, self.options)

    def _stream(self, engine: Engine, seed: int = 7, duration_s: float | None = None) -> Stream:
        return engine.stream(self._request(seed, duration_s))

    def _frames(self, stream: Stream) -> int:
        return round(self.read_s * stream.rate)
