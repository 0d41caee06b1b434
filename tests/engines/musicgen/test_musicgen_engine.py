"""Songs on one model: what is heard, in any company, after steering, forks and snapshots; and what is refused."""

import json
import os
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from lullwave.audio import Audio  # noqa: E402
from lullwave.engines import load_engine  # noqa: E402
from lullwave.engines.musicgen.engine import MusicGenEngine  # noqa: E402
from lullwave.engines.musicgen.model.linear import int8_available  # noqa: E402
from lullwave.engines.musicgen.prompt_schedule import Window  # noqa: E402
from lullwave.errors import (  # noqa: E402
    Busy,
    CheckpointError,
    EngineFailed,
    InvalidInput,
    PromptError,
    SnapshotError,
    StreamClosed,
)
from lullwave.request import Request  # noqa: E402

RATE = 32000
EXACT = "int8" if int8_available() else "float32"


@pytest.fixture
def engine(tiny, load):
    return load(tiny, EXACT)


def tokens(stream):
    song = stream._song
    return song.tokens[:, : song.step - song.base - song.lag].copy()


def test_alone_equals_in_company_over_1500_steps(tiny):
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


def test_blocks_are_the_whole_and_the_length_is_exact(engine):
    request = Request("rain", seed=2, duration_s=1.3)
    with engine.stream(request) as whole, engine.stream(request) as pieces:
        expected = whole.read(10**9).samples
        assert expected.shape == (round(1.3 * RATE), 1)
        sizes = iter([1, 700, 16000, 3, 24000, 10**6])
        parts = [pieces.read(size).samples for size in sizes]
        assert np.array_equal(np.concatenate(parts), expected)
        assert whole.read(10).frames == 0
    other = engine.stream(Request("rain", seed=3, duration_s=1.3))
    assert not np.array_equal(other.read(10**9).samples, expected)
    other.close()


def test_forks_and_snapshots_go_on_with_the_same_samples_across_a_window(tiny, load):
    engine = load(tiny, EXACT)
    with engine.stream(Request("calm jazz", seed=5)) as stream:
        stream.read(29 * RATE + 123)  # the window slides at 30 s
        saved = stream.snapshot(27 * RATE + 17)
        with stream.fork() as fork, engine.restore(saved) as restored:
            expected = stream.read(3 * RATE).samples
            assert np.array_equal(fork.read(3 * RATE).samples, expected)
            assert restored.position == 27 * RATE + 17
            restored.read(29 * RATE + 123 - restored.position)
            assert np.array_equal(restored.read(3 * RATE).samples, expected)
        with pytest.raises(SnapshotError, match="allowed: 0 to"):
            stream.fork(40 * RATE)


def test_steering_is_heard_within_a_second_and_only_from_then_on(engine):
    with engine.stream(Request("calm piano", seed=1)) as stream:
        before = stream.read(2 * RATE + 300).samples
        with stream.fork() as fork:
            assert "drums" in fork.steer("(drums:1.5), -piano", over_s=0.2).text
            steered, plain = fork.read(2 * RATE).samples, stream.read(2 * RATE).samples
            first = int(np.nonzero((steered != plain).any(1))[0][0])
            assert 0 < first < RATE
            (mark,) = [mark for mark in fork.marks(0, 10 * RATE) if mark.kind == "steer"]
            assert abs(mark.frame - (before.shape[0] + first)) < 4 * 640
            again = engine.restore(fork.snapshot(RATE))
            replayed = again.read(before.shape[0] - RATE + 2 * RATE).samples
            assert np.array_equal(replayed, np.concatenate([before[RATE:], steered]))
            again.close()


def test_steering_does_not_depend_on_how_far_ahead_the_thread_was(engine):
    def play(wait):
        with engine.stream(Request("calm", seed=4)) as stream:
            parts = [stream.read(RATE).samples]
            if wait:  # let it make all that it wants to
                deadline = time.monotonic() + 60
                while stream._song.wants_chunks and time.monotonic() < deadline:
                    time.sleep(0.01)
            stream.steer("bass", over_s=1.0)
            parts.append(stream.read(2 * RATE).samples)
            return np.concatenate(parts)

    assert np.array_equal(play(False), play(True))


def test_steering_at_the_beginning_is_asking_for_it(engine):
    with engine.stream(Request("calm", seed=4)) as stream, engine.stream(Request("bass", seed=4)) as other:
        stream.steer("bass", over_s=0)
        assert np.array_equal(stream.read(RATE).samples, other.read(RATE).samples)


def test_a_melody_model_is_steered_and_slides(checkpoints_dir, load):
    engine = load(checkpoints_dir / "musicgen-tiny-melody", EXACT)
    with engine.stream(Request("calm", seed=4)) as stream:
        stream.read(RATE)
        with stream.fork() as fork:
            fork.steer("bass")
            steered = fork.read(2 * RATE).samples
            plain = stream.read(2 * RATE).samples
            first = int(np.nonzero((steered != plain).any(1))[0][0])
            assert 0 < first < RATE


def test_stereo_has_two_different_channels(checkpoints_dir, load):
    engine = load(checkpoints_dir / "musicgen-tiny-stereo", EXACT)
    with engine.stream(Request("calm", duration_s=1)) as stream:
        samples = stream.read(RATE).samples
    assert samples.shape == (RATE, 2)
    assert not np.array_equal(samples[:, 0], samples[:, 1])


def test_more_songs_than_slots_take_turns_and_stay_what_they_are(tiny):
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


def test_closing_the_engine_ends_its_streams(tiny):
    engine = MusicGenEngine(model=str(tiny), dtype=EXACT, device="cpu", threads=1, max_songs=1)
    stream = engine.stream(Request("calm"))
    stream.read(100)
    engine.close()
    with pytest.raises(StreamClosed):
        stream.read(RATE)
    assert not any(thread.name == "musicgen" and thread is engine.scheduler._thread for thread in threading.enumerate())


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


def test_a_shorter_window_is_the_same_song_until_it_slides_and_goes_on_from_a_snapshot(engine):
    with engine.stream(Request("calm", 5)) as long, engine.stream(Request("calm", 5, options={"window_s": 5})) as short:
        expected, heard = long.read(8 * RATE), short.read(8 * RATE)
        together = int((tokens(long)[:, :400] == tokens(short)[:, :400]).all(axis=0).argmin())
        assert 245 <= together <= 260
        assert np.array_equal(expected.samples[: 4 * RATE], heard.samples[: 4 * RATE])
        with engine.restore(short.snapshot()) as again, short.fork() as fork:
            went_on = short.read(6 * RATE).samples
            assert np.array_equal(again.read(6 * RATE).samples, went_on)
            assert np.array_equal(fork.read(6 * RATE).samples, went_on)


def test_wrong_values_are_refused_by_name(tiny, engine):
    for options, field in (
        ({"temperature": -1}, "temperature"),
        ({"top_k": 5000}, "top_k"),
        ({"top_p": 0}, "top_p"),
        ({"window_s": 31}, "window_s"),
        ({"guidance": float("nan")}, "guidance"),
        ({"speed": 2}, "speed"),
    ):
        with pytest.raises(InvalidInput, match=field):
            engine.stream(Request("calm", options=options))
    with pytest.raises(PromptError, match="tokens"):
        engine.stream(Request("zq" * 400))
    with pytest.raises(InvalidInput, match="melody"):
        engine.stream(Request("calm"), melody=Audio.silence(RATE, RATE))
    with pytest.raises(InvalidInput, match=r"0\.5 s"):
        engine.stream(Request("calm"), continue_from=Audio.silence(100, RATE))
    for options, field in (({"device": "toaster"}, "device"), ({"dtype": "int3"}, "dtype"), ({"max_songs": 0}, "max_")):
        with pytest.raises(InvalidInput, match=field):
            load_engine("musicgen", model=str(tiny), **options)
    with pytest.raises(SnapshotError):
        engine.restore(b"nonsense")


def test_snapshots_of_other_weights_are_refused(tiny, checkpoints_dir, load, engine):
    other = load(checkpoints_dir / "musicgen-tiny-stereo", EXACT)
    with other.stream(Request("calm")) as stream:
        saved = stream.snapshot()
    with pytest.raises(SnapshotError, match="weights"):
        engine.restore(saved)


def test_broken_checkpoints_name_the_fault_and_the_remedy(tiny, tmp_path, monkeypatch):
    def broken(name):
        place = tmp_path / name
        shutil.copytree(tiny, place)
        return place

    def fault(place):
        with pytest.raises(CheckpointError) as raised:
            load_engine("musicgen", model=str(place), device="cpu")
        return str(raised.value)

    place = broken("cut")
    file = place / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    assert "lullwave models pull" in fault(place)
    place = broken("nonsense")
    (place / "model.safetensors").write_bytes(b"\0" * 5000)
    assert "damaged" in fault(place)
    place = broken("no-weights")
    (place / "model.safetensors").unlink()
    assert "no weights" in fault(place)
    place = broken("architecture")
    (place / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    assert "'gpt2'" in fault(place)
    place = broken("shape")
    config = json.loads((place / "config.json").read_text())
    config["decoder"]["hidden_size"] = 128
    (place / "config.json").write_text(json.dumps(config))
    assert "shape" in fault(place)
    place = broken("tokenizer")
    (place / "tokenizer.json").write_text("{")
    assert "tokenizer" in fault(place)
    place = broken("of another user")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "model.safetensors")
    assert "not readable" in fault(place)
    (tmp_path / "empty").mkdir()
    assert "config.json" in fault(tmp_path / "empty")
    assert "no model" in fault(tmp_path / "absent")
    with pytest.raises(CheckpointError, match="lullwave models pull facebook/musicgen-small"):
        load_engine("musicgen", model="facebook/musicgen-small", offline=True)


@pytest.mark.parametrize(
    ("part", "name", "value", "told"),
    [
        ("audio_encoder", "sampling_rate", 24000, "frame rate"),
        ("audio_encoder", "target_bandwidths", [1.1], "number of codebooks"),
        ("decoder", "num_codebooks", 2, "number of codebooks"),
        ("decoder", "num_attention_heads", 0, "heads"),
        ("decoder", "hidden_size", "wide", "hidden_size"),
        ("text_encoder", "d_model", 32, "text encoder"),
        ("text_encoder", "vocab_size", 64, "text encoder"),
        ("text_encoder", "num_layers", 4, "lacks the weight"),
        ("audio_encoder", "num_lstm_layers", 3, "lacks the weight"),
    ],
)
def test_a_configuration_that_is_not_of_its_weights_is_refused_when_it_is_loaded(
    tiny, tmp_path, part, name, value, told
):
    shutil.copytree(tiny, tmp_path / "other")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    config[part][name] = value
    (tmp_path / "other" / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=told) as raised:
        load_engine("musicgen", model=str(tmp_path / "other"), device="cpu")
    assert "pull" in str(raised.value)


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


def test_a_song_whose_sound_cannot_be_made_ends_alone(tiny, monkeypatch):
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


def test_a_tune_begins_with_the_sound_and_over_again_at_its_end(checkpoints_dir, load):
    engine = load(checkpoints_dir / "musicgen-tiny-melody", EXACT)
    prefill = engine.scheduler._prefill
    given = Audio.of(np.random.default_rng(0).normal(0, 0.1, 3 * RATE), RATE)
    with (
        engine.stream(Request("calm"), melody=given) as stream,
        engine.stream(Request("calm"), melody=given, continue_from=given) as later,
    ):
        song = stream._song
        frames = song.melody.shape[0]
        assert torch.equal(prefill._chroma_from(song, Window(0, 0)), song.melody)
        slid = prefill._chroma_from(song, Window(1, 900))  # 18 s are 140 frames of chroma
        assert slid.shape[0] == frames
        assert torch.equal(slid[0], song.melody[140 % frames])
        assert later._song.origin == 150
        assert torch.equal(prefill._chroma_from(later._song, Window(0, 0))[24 % frames], later._song.melody[0])


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
