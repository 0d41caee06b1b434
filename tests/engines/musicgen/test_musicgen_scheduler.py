"""Many songs on one model: alone or in a batch the same samples; places, threads and errors are cleaned up."""

import threading

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from songs import EXACT, RATE, tokens  # noqa: E402

from lullwave.engines.musicgen.engine import MusicGenEngine  # noqa: E402
from lullwave.errors import Busy, EngineFailed, StreamClosed  # noqa: E402
from lullwave.request import Request  # noqa: E402


def test_a_song_in_a_batch_equals_the_song_alone_over_1500_steps(tiny):
    """Others join and leave, with other prompts, options and lengths; every token stays what it was."""
    with MusicGenEngine(model=str(tiny), dtype=EXACT, device="cpu", threads=1, max_songs=3) as engine:
        request = Request("calm piano", seed=11)
        with engine.stream(request) as alone:
            alone.read(30 * RATE + RATE // 2)
            expected = tokens(alone)
        assert expected.shape[1] >= 1500
        with engine.stream(request) as stream:
            stream.read(RATE)
            for seed, options in enumerate(({}, {"guidance": 1.0}, {"temperature": 0.3, "top_k": 0, "top_p": 0.5})):
                other = engine.stream(Request("jazz, -drums" if seed else "(bass:2)", seed=seed, options=options))
                visit = threading.Thread(target=other.read, args=(3 * RATE,))
                visit.start()
                stream.read(4 * RATE)
                visit.join()
                other.close()
            stream.read(30 * RATE + RATE // 2 - stream.position)
            length = min(expected.shape[1], tokens(stream).shape[1])
            assert length >= 1500
            assert np.array_equal(tokens(stream)[:, :length], expected[:, :length])


def test_more_songs_than_slots_take_turns_and_keep_their_samples(tiny):
    requests = [Request("calm piano", seed=seed, duration_s=2.5) for seed in range(5)]
    with MusicGenEngine(model=str(tiny), dtype=EXACT, device="cpu", threads=1, max_songs=1) as engine:
        alone = []
        for request in requests:
            with engine.stream(request) as stream:
                alone.append(stream.read(10**9).samples)
        streams = [engine.stream(request) for request in requests]
        endless = engine.stream(Request("bass"))  # never ends, and is not read to the end
        endless.read(RATE)
        heard = [None] * len(streams)

        def listen(i):
            heard[i] = streams[i].read(10**9).samples

        threads = [threading.Thread(target=listen, args=(i,)) for i in range(len(streams))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert all(np.array_equal(a, b) for a, b in zip(heard, alone, strict=True))
        more = []
        for _ in range(engine.scheduler._max_songs - 1 - len(streams)):
            more.append(engine.stream(requests[0]))
        with pytest.raises(Busy):
            engine.stream(requests[0])
        for stream in [*streams, *more, endless]:
            stream.close()
        assert engine.scheduler.load == {"open": 0, "playing": 0, "waiting": 0}
        assert sorted(engine.scheduler._free) == [0, 1]


def test_closing_ends_a_read_in_progress_and_frees_the_slots(tiny):
    with MusicGenEngine(model=str(tiny), dtype=EXACT, device="cpu", threads=1, max_songs=1) as engine:
        stream = engine.stream(Request("calm"))
        ended = []

        def listen():
            try:
                stream.read(10**9)
            except StreamClosed:
                ended.append(True)

        thread = threading.Thread(target=listen)
        thread.start()
        stream.close()
        thread.join(30)
        assert ended == [True]
        assert engine.scheduler.load == {"open": 0, "playing": 0, "waiting": 0}
        with pytest.raises(StreamClosed):
            stream.read(1)


def test_the_thread_of_an_idle_model_ends_and_the_song_goes_on_when_it_is_read(tiny, monkeypatch):
    monkeypatch.setattr("lullwave.engines.musicgen.scheduler.IDLE_S", 0.01)
    with MusicGenEngine(model=str(tiny), dtype=EXACT, device="cpu", threads=1, max_songs=1) as engine:
        with engine.stream(Request("calm", seed=5)) as whole:
            expected = whole.read(4 * RATE).samples
        stream, parts = engine.stream(Request("calm", seed=5)), []
        for _ in range(4):
            parts.append(stream.read(RATE).samples)
            working = engine.scheduler._thread
            if working is not None:
                working.join(60)
            assert engine.scheduler._thread is None
        assert np.array_equal(np.concatenate(parts), expected)


def test_a_step_that_fails_ends_its_songs_and_the_next_ones_play(tiny, monkeypatch):
    with MusicGenEngine(model=str(tiny), dtype=EXACT, device="cpu", threads=1, max_songs=1) as engine:
        request = Request("calm", seed=3, duration_s=1)
        with engine.stream(request) as stream:
            expected = stream.read(RATE).samples
        stepper = engine.scheduler._stepper

        def fail(jobs):
            raise torch.OutOfMemoryError("tried to allocate 2.00 GiB")

        with monkeypatch.context() as patched:
            patched.setattr(stepper, "run", fail)
            with engine.stream(request) as broken:
                for _ in range(2):
                    with pytest.raises(EngineFailed, match=r"2\.00 GiB.*max_songs"):
                        broken.read(RATE)
        assert engine.scheduler.load == {"open": 0, "playing": 0, "waiting": 0}
        with engine.stream(request) as stream:
            assert np.array_equal(stream.read(RATE).samples, expected)


def test_a_song_that_cannot_be_decoded_ends_alone(tiny, monkeypatch):
    with MusicGenEngine(model=str(tiny), dtype=EXACT, device="cpu", threads=1, max_songs=2) as engine:
        request = Request("calm", seed=3)
        with engine.stream(request) as stream, engine.stream(Request("bass")) as broken:
            stream.read(RATE)
            make = engine._chunk_decoder.decode

            def fail(song, chunk):
                if song is broken._song:
                    raise RuntimeError("a state that fits nothing")
                return make(song, chunk)

            monkeypatch.setattr(engine._chunk_decoder, "decode", fail)
            with pytest.raises(EngineFailed, match="fits nothing"):
                broken.read(RATE)
            assert stream.read(2 * RATE).frames == 2 * RATE


def test_two_stations_steered_and_forked_at_random_reproduce_and_leave_nothing_behind(tiny):
    """The same story twice, with visitors who leave in the middle of a read: the same samples, all places free."""

    def story(visitors):
        random = np.random.default_rng(3)
        with MusicGenEngine(model=str(tiny), dtype=EXACT, device="cpu", threads=1, max_songs=3) as engine:
            stations = [engine.stream(Request(prompt, seed=i)) for i, prompt in enumerate(("calm", "jazz drums"))]
            heard = [[], []]
            for _ in range(12):
                i = int(random.integers(2))
                if random.random() < 0.5:
                    back = int(random.integers(0, 1 + min(stations[i].position, RATE)))
                    fork = stations[i].fork(stations[i].position - back)
                    stations[i].close()
                    stations[i] = fork
                    fork.steer(str(random.choice(["bass", "piano | pads :2", "(warm:1.4), -drums"])), over_s=0.5)
                if visitors:
                    visitor = engine.stream(Request("night", seed=9))
                    reading = threading.Thread(target=_read_until_closed, args=(visitor,))
                    reading.start()
                heard[i].append(stations[i].read(int(random.integers(1, RATE))).samples)
                if visitors:
                    visitor.close()
                    reading.join(30)
                    assert not reading.is_alive()
            for station in stations:
                station.close()
            assert engine.scheduler.load == {"open": 0, "playing": 0, "waiting": 0}
            assert len(engine.scheduler._free) == 6
            return [np.concatenate(blocks) for blocks in heard]

    assert all(np.array_equal(a, b) for a, b in zip(story(False), story(True), strict=True))


def _read_until_closed(stream):
    with pytest.raises(StreamClosed):
        stream.read(10**9)
