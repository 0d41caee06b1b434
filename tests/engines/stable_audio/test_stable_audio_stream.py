"""The endless stream on a tiny checkpoint: against a plain reference, in any block size, steered, forked, batched."""

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

import lullwave  # noqa: E402
from lullwave.audio import Audio  # noqa: E402
from lullwave.engines.stable_audio.noise import latent_noise  # noqa: E402
from lullwave.engines.stable_audio.pipeline import Config, Decode, Paint  # noqa: E402
from lullwave.engines.stable_audio.stream import DECODED  # noqa: E402
from lullwave.engines.stable_audio.windows import Lengths, first_steps_for, lengths_for  # noqa: E402
from lullwave.errors import InvalidInput, SnapshotError, StreamClosed  # noqa: E402

RATE, HOP, SIZE, DEPTH = 8000, 1024, 8, 2
QUICK = {"steps": 2, "window_s": 6.0, "context_s": 2.0}


@pytest.fixture(scope="module")
def engine(checkpoint):
    """An engine whose streams take turns, so that each sounds to the bit as alone."""
    with lullwave.load_engine("stable-audio", checkpoint=str(checkpoint), device="cpu", dtype="float32") as loaded:
        yield loaded


@pytest.fixture
def batching(checkpoint):
    """An engine whose streams share passes."""
    with lullwave.load_engine(
        "stable-audio", checkpoint=str(checkpoint), device="cpu", dtype="float32", max_batch=8
    ) as loaded:
        yield loaded


def stream(engine, prompt="rainy piano", seed=5, **options):
    duration_s = options.pop("duration_s", None)
    return engine.stream(lullwave.Request(prompt, seed, duration_s, {**QUICK, **options}))


def same(one, two):
    return np.array_equal(one.samples, two.samples)


def reference(checkpoint, windows, steer_at=None):
    """Sound of a stream, from the networks of diffusers alone.

    ``windows``: (first latent, context, length that is kept, length that is dropped, prompt) of each.
    """
    pipeline = diffusers.StableAudio3InpaintPipeline.from_pretrained(checkpoint)
    pipeline.set_progress_bar_config(disable=True)
    made = torch.zeros(SIZE, 0)
    for first, context, kept, dropped, prompt in windows:
        made = made[:, :first]
        length = context + kept + dropped
        told_s = length * HOP / RATE
        states, mask = pipeline.encode_prompt([prompt], torch.device("cpu"), 1)
        duration = pipeline.encode_duration(told_s, torch.device("cpu"), 1, 1)
        states, mask = pipeline.prepare_cross_attention(states, mask, duration)
        known = None
        if context:
            known = torch.zeros(1, SIZE + 1, length)
            known[0, 0, :context] = 1.0
            known[0, 1:, :context] = made[:, first - context :]
        latents = latent_noise(5, 0, first - context, length, SIZE)[None]
        sigmas = torch.sigmoid(6.2 * torch.linspace(1, 0, 3) - 2.0 * (1 - torch.linspace(1, 0, 3)))
        sigmas = [1.0, float(sigmas[1]), 0.0]
        for step in range(2):
            with torch.inference_mode():
                velocity = pipeline.transformer(
                    latents, torch.tensor([sigmas[step]]), states, duration, mask, known
                ).sample
            end = latents - sigmas[step] * velocity
            fresh = latent_noise(5, step + 1, first - context, length, SIZE)[None]
            latents = (1 - sigmas[step + 1]) * end + sigmas[step + 1] * fresh
        made = torch.cat([made, latents[0, :, context : context + kept]], dim=1)
    with torch.inference_mode():
        return pipeline.vae.decode(made[None]).sample[0].numpy().T


def latents(seconds):
    return round(seconds * RATE / HOP)


def test_ten_windows_equal_a_plain_reference(engine, checkpoint):
    first, window, context, tail = latents(2.0), latents(6.0), latents(2.0), latents(2.0)
    plan = [(0, 0, first, tail, "rainy piano"), (first, context, 2 * first, tail, "rainy piano")]
    plan += [(3 * first + n * window, context, window, tail, "rainy piano") for n in range(8)]
    expected = reference(checkpoint, plan)
    safe = len(expected) - DEPTH * HOP  # the last latents are heard with the window that follows
    with stream(engine) as playing:
        made = playing.read(safe).samples
    assert expected.std() > 0.01
    assert np.abs(made - expected[:safe]).max() < 2e-5 * np.abs(expected).max() + 1e-6


def test_a_steer_is_heard_from_its_frame_on_and_nothing_before_it_changes(engine, checkpoint):
    first, window, context, tail = latents(2.0), latents(6.0), latents(2.0), latents(2.0)
    at = 9 * RATE + 5
    cut = -(-at // HOP) + DEPTH
    plan = [
        (0, 0, first, tail, "rainy piano"),
        (first, context, 2 * first, tail, "rainy piano"),
        (3 * first, context, window, tail, "rainy piano"),
        (cut, context, first, tail, "warm drums"),
        (cut + first, context, 2 * first, tail, "warm drums"),
    ]
    expected = reference(checkpoint, plan)
    safe = len(expected) - DEPTH * HOP
    with stream(engine) as playing, stream(engine) as unsteered:
        before = playing.read(at)
        playing.steer("warm drums", over_s=0)
        after = playing.read(safe - at)
        made = np.concatenate([before.samples, after.samples])
        assert np.abs(made - expected[:safe]).max() < 2e-5 * np.abs(expected).max() + 1e-6
        other = unsteered.read(safe)
        assert same(other[:at], before)
        changed = np.flatnonzero(np.abs(other.samples - made).max(axis=1) > 1e-4 * np.abs(made).max())
        assert at <= changed[0] < at + 2 * DEPTH * HOP
        assert [(mark.frame, mark.kind) for mark in playing.marks(0, safe)] == [(0, "piece"), (at, "steer")]


def test_block_sizes_do_not_matter_and_seeds_do(engine):
    with stream(engine) as one, stream(engine) as two, stream(engine, seed=6) as other:
        whole = one.read(8 * RATE)
        parts = [two.read(n) for n in (1, 999, 4 * RATE, 0, 17, 8 * RATE - 4 * RATE - 1017)]
        assert same(whole, lullwave.audio.concat(parts))
        assert not np.allclose(whole.samples, other.read(8 * RATE).samples, atol=1e-3)


def test_snapshots_and_forks_continue_with_the_same_samples(engine):
    with stream(engine) as playing:
        playing.read(10 * RATE)
        playing.steer("warm drums", over_s=12)
        saved = playing.snapshot()
        rest = playing.read(16 * RATE)
        with engine.restore(saved) as restored, playing.fork(13 * RATE) as fork:
            assert same(restored.read(16 * RATE), rest)
            assert same(fork.read(2 * RATE), rest[3 * RATE : 5 * RATE])


def test_a_fork_from_before_a_steer_plays_as_if_it_had_not_been(engine):
    with stream(engine) as playing, stream(engine) as unsteered:
        playing.read(7 * RATE)
        playing.steer("warm drums", over_s=0)
        playing.read(9 * RATE)
        playing.steer("quiet harp", over_s=0)
        playing.read(RATE)
        expected = unsteered.read(20 * RATE)
        with playing.fork(6 * RATE) as fork:
            assert same(fork.read(14 * RATE), expected[6 * RATE :])


def test_streams_read_at_once_share_passes_and_sound_as_alone(batching):
    def read(seed):
        with stream(batching, seed=seed) as playing:
            return playing.read(7 * RATE).samples

    alone = [read(seed) for seed in range(3)]
    passes = []
    made = batching._pipeline.make
    batching._pipeline.make = lambda requests, *rest: passes.append(len(requests)) or made(requests, *rest)
    try:
        with ThreadPoolExecutor(3) as pool:
            together = list(pool.map(read, range(3)))
    finally:
        del batching._pipeline.make
    assert max(passes) > 1
    for one, two in zip(alone, together, strict=True):
        assert np.abs(one - two).max() < 1e-5


def test_a_clip_is_one_window_of_its_own_length(engine):
    from lullwave.engines.stable_audio.pipeline import Config, Paint

    with stream(engine, duration_s=9.7) as clip:
        sound = clip.read(20 * RATE)
        assert sound.frames == round(9.7 * RATE)
        assert clip.read(1).frames == 0
    length = -(-round(9.7 * RATE) // HOP)
    paint = Paint({"rainy piano": 1.0}, length, lambda step: latent_noise(5, step, 0, length, SIZE), 9.7)
    networks = engine._pipeline.networks
    painted = engine._pipeline.paint([paint], Config(steps=2))[0]
    whole = networks.autoencoder.decode_whole(painted[None])[0].numpy().T[: sound.frames]
    assert np.abs(sound.samples - whole).max() < 1e-5


def test_a_stream_continues_audio(engine):
    noise = np.random.default_rng(1).standard_normal((4 * RATE, 1)).astype(np.float32) * 0.3
    heard = Audio(noise, RATE)
    with engine.stream(lullwave.Request("piano", 5, None, QUICK), continue_from=heard) as playing:
        continued = playing.read(8 * RATE)
        window = playing._track.windows[0]
        encoded = engine._pipeline.networks.autoencoder.encode(torch.from_numpy(np.repeat(noise, 2, 1).T)[None])[0]
        whole_latents = 4 * RATE // HOP
        offset = 4 * RATE - whole_latents * HOP
        exact = engine._pipeline.networks.autoencoder.encode(torch.from_numpy(np.repeat(noise[offset:], 2, 1).T)[None])
        assert encoded.shape[1] == whole_latents + 1
        assert (window.start, window.stop) == (-latents(2.0), 0)
        assert np.allclose(window.latents, exact[0, :, -latents(2.0) :].numpy(), atol=1e-5)
        with engine.restore(playing.snapshot()) as restored:
            assert same(restored.read(4 * RATE), playing.read(4 * RATE))
    with stream(engine, "piano") as plain:
        assert not np.allclose(plain.read(8 * RATE).samples, continued.samples, atol=1e-4)
    with pytest.raises(InvalidInput, match="continue_from"):
        engine.stream("piano", continue_from=heard[: RATE // 2])


def test_closing_ends_a_read_and_frees_the_queue(engine):
    playing = stream(engine, steps=250, window_s=100.0)
    failed = []

    def read():
        try:
            playing.read(100 * RATE)
        except StreamClosed as error:
            failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    playing.close()
    reader.join(20)
    assert not reader.is_alive()
    assert len(failed) == 1
    with stream(engine) as next_one:
        assert next_one.read(RATE).frames == RATE


def test_an_hour_keeps_no_more_latents_than_snapshots_need(engine):
    with stream(engine, steps=1, window_s=24.0) as playing:
        held = []
        for _ in range(8):
            playing.read(30 * RATE)
            held.append(playing._track.made - playing._track.begin)
        assert max(held[3:]) <= latents(30 + 60 + 24 + 24) + 2 * DECODED
        playing.snapshot(playing.position - 60 * RATE)
        with pytest.raises(SnapshotError, match="allowed: from"):
            playing.snapshot(0)


def test_damaged_snapshots_and_those_of_others_are_refused(engine, networks):
    with stream(engine) as playing:
        playing.read(2 * RATE)
        saved = playing.snapshot()
    for wrong in (
        b"",
        b"LWRIFF01" + saved[8:],
        saved[:40],
        saved[:-300],
        saved.replace(b"float32 cpu", b"float16 cpu"),
    ):
        with pytest.raises(SnapshotError):
            engine.restore(wrong)
    with pytest.raises(SnapshotError, match="0 steps; allowed: 1 to 250"):
        engine.restore(saved.replace(b'"first_steps": 2', b'"first_steps": 0'))
    far = saved.replace(b'"position": 16000', b'"position": 99999')
    with pytest.raises(SnapshotError, match="outside of its windows"):
        engine.restore(far)


def test_lengths_of_windows():
    lengths = Lengths.of(24.0, 8.0, 10.0, 6)
    assert [lengths.next(start, 0, None) for start in (0, 20, 60, 180)] == [(20, 20), (40, 20), (120, 20), (240, 20)]
    assert lengths.next(500, 490, None) == (20, 20)  # soon after a change of prompt
    assert lengths.next(0, 0, 1000) == (1000, 0)  # a clip in one go
    assert lengths.next(0, 0, 1300) == (20, 20)  # a longer one in windows
    assert lengths.next(1050, 0, 1300) == (250, 0)  # which end where it ends
    assert Lengths.of(3.0, 1.0, 10.0, 60).window == 61  # a window is longer than what the decoder looks ahead
    assert lengths_for(0.3)[0] > lengths_for(2.0)[0] > lengths_for(50.0)[0]
    assert [first_steps_for(steps, 1.0) for steps in (100, 8, 6, 4, 2)] == [38, 3, 3, 3, 2]
    assert [first_steps_for(8, speed) for speed in (0.2, 1.3, 2.5, 60.0)] == [3, 4, 8, 8]


def test_options_are_checked_by_name(engine):
    for options in ({"steps": 0}, {"window_s": 2.0}, {"guidance": 0.5}, {"speed": 1}):
        with pytest.raises(InvalidInput, match=next(iter(options))):
            stream(engine, **options)
    with stream(engine) as playing, pytest.raises(InvalidInput, match="over_s"):
        playing.steer("x", over_s=-1)
    understood = engine.understand("jazz :2 | piano, -drums")
    assert understood.understood["parts"] == {"jazz": 0.667, "piano": 0.333}
    assert "drums" in understood.text


@pytest.fixture
def painted(engine, monkeypatch):
    """The windows that have begun: (work, job) each."""
    begun = []
    begin = engine.begin

    def noted(work, config):
        job = begin(work, config)
        if isinstance(work, Paint):
            begun.append((work, job))
        return job

    monkeypatch.setattr(engine, "begin", noted)
    return begun


def test_a_first_window_has_steps_of_its_own_and_is_heard_before_the_next_one_is_made(engine, painted):
    first, steps = latents(2.0), []
    with stream(engine, steps=2, first_steps=1) as played:
        for position in (0, 9 * RATE + 5):
            played.read(position - played.position)
            if position:
                played.steer("fast drums", over_s=1.0)
            painted.clear()
            played.read(RATE)
            assert [job.result.done() for _, job in painted][:1] == [True]
            assert len(painted) == 2  # and one ahead
            assert [work.first for work, _ in painted] == [True, False]
            steps += [job.config.steps for _, job in painted]
    assert steps == [1, 2, 1, 2]
    assert played._decoded_with(0) == (0, first - DEPTH)
    with stream(engine, duration_s=9.7, first_steps=1) as clip:
        painted.clear()
        clip.read(RATE)
        assert [job.config.steps for _, job in painted] == [2]


def test_a_first_window_interrupts_others_and_decoding_all(engine, monkeypatch):
    denoiser, queued, done = engine._pipeline.networks.denoiser, threading.Event(), []
    velocity, noise = denoiser.velocity, latent_noise(1, 0, 0, 8, engine.size)
    window, first = (Paint({"": 1.0}, 8, lambda step: noise, 1.0, first=first) for first in (False, True))
    engine.work(window, Config(steps=1), threading.Event())  # after what is left of the tests before
    monkeypatch.setattr(denoiser, "velocity", lambda *args: queued.wait(20) and velocity(*args))
    jobs = [engine.begin(work, Config(steps=2)) for work in (window, first, Decode(noise))]
    for name, job in zip(("window", "first", "sound"), jobs, strict=True):
        job.result.add_done_callback(lambda _, name=name: done.append(name))
    queued.set()
    engine.result(jobs[0], threading.Event())
    assert done == ["sound", "first", "window"]


def test_a_window_that_is_given_up_ends_between_two_layers(engine, monkeypatch):
    denoiser, layers = engine._pipeline.networks.denoiser, []
    block = denoiser._block
    noise = latent_noise(1, 0, 0, 8, engine.size)
    paint = Paint({"": 1.0}, 8, lambda step: noise, 1.0)
    engine.work(paint, Config(steps=1), threading.Event())  # after what is left of the tests before
    queued = threading.Event()

    def cancelling(*args):
        layers.append(queued.wait(20) and job.cancel())
        return block(*args)

    monkeypatch.setattr(denoiser, "_block", cancelling)
    job = engine.begin(paint, Config(steps=3))
    queued.set()
    with pytest.raises(CancelledError):
        job.result.result(20)
    assert len(layers) == 1


def test_the_next_window_is_painted_while_one_is_heard_and_dropped_by_a_change_of_prompt(engine, painted):
    begun = painted
    with stream(engine) as played:
        played.read(engine.rate // 4)
        heard = len(begun) - 1  # the last one is not needed yet
        played.steer("fast drums", over_s=1.0)
        assert begun[heard][1].cancelled
        assert not any(job.cancelled for _, job in begun[:heard])
        played.read(engine.rate // 4)
    assert all(job.cancelled or job.result.done() for _, job in begun)


def test_sound_is_decoded_between_the_steps_of_a_window(engine, monkeypatch):
    queued, decoded, waits = threading.Event(), threading.Event(), []
    denoiser = engine._pipeline.networks.denoiser
    velocity = denoiser.velocity

    def waiting(*args):
        waits.append((decoded if waits else queued).wait(20))
        return velocity(*args)

    noise = latent_noise(1, 0, 0, 8, engine.size)
    paint = Paint({"": 1.0}, 8, lambda step: noise, 1.0)
    engine.work(paint, Config(steps=1), threading.Event())  # after what is left of the tests before
    monkeypatch.setattr(denoiser, "velocity", waiting)
    painted = engine.begin(paint, Config(steps=3))
    sound = engine.begin(Decode(noise), Config())
    queued.set()
    engine.result(sound, threading.Event())
    decoded.set()
    engine.result(painted, threading.Event())
    assert waits == [True, True, True]
