"""Back to sound: known signals return, level is kept, backends agree, parts equal the whole."""

import sys
import types
import weakref

import numpy as np
import pytest

from bench.converter.spectral_metrics import convergence, mel, onset_correlation
from lullwave import Audio, Spectrogram, SpectrogramParams
from lullwave.errors import InvalidInput
from lullwave.spectrogram import acceleration, inversion, relaxation, synthesise
from lullwave.spectrogram.streaming import AHEAD, BLOCK

RATE = 44100


def music(seconds=2.0, rate=RATE):
    """Plucked chords over a soft noise: partials, onsets and decays, without any file."""
    t = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(3)
    sound = 0.002 * rng.standard_normal(len(t))
    for start, root in ((0.0, 110.0), (0.5, 146.83), (1.0, 164.81), (1.5, 220.0)):
        since = np.maximum(t - start, 0)
        for part in range(1, 13):
            envelope = (t >= start) * np.exp(-since * (2 + part)) * (1 - np.exp(-since * 400))
            sound += 0.2 / part * envelope * np.sin(2 * np.pi * root * part * since)
    return sound.astype(np.float32)


@pytest.fixture(scope="module")
def plucked():
    return music()


def error_of(made, sound):
    """Spectral convergence by the double-precision oracle."""
    made = np.pad(made, (0, max(0, len(sound) - len(made))))[: len(sound)]
    return convergence(mel(made), mel(sound))


@pytest.mark.parametrize(("quality", "most"), [("fast", 0.06), ("good", 0.04), ("best", 0.02)])
def test_the_sound_has_the_spectrogram(plucked, quality, most):
    made = Spectrogram.from_audio(Audio.of(plucked, RATE)).to_audio(quality)
    assert made.rate == RATE
    assert made.frames == len(plucked) // 441 * 441
    assert error_of(made.samples[:, 0], plucked) < most
    assert onset_correlation(made.samples[:, 0], plucked[: made.frames]) > 0.75


def test_without_numba_it_is_about_as_good(plucked, monkeypatch):
    monkeypatch.setattr(inversion, "kernels", lambda: None)
    made = Spectrogram.from_audio(Audio.of(plucked, RATE)).to_audio("fast")
    assert error_of(made.samples[:, 0], plucked) < 0.06


@pytest.mark.parametrize("pad", [1, 2])
def test_compiled_projection_equals_the_plain_one(plucked, pad):
    pytest.importorskip("numba")
    from lullwave.spectrogram.grid import grid_of

    spectrogram = Spectrogram.from_audio(Audio.of(plucked, RATE))
    grid = grid_of(spectrogram.params, pad)
    amplitudes = spectrogram.mel[0] / spectrogram.mel.max()
    rng = np.random.default_rng(4)
    shape = (amplitudes.shape[1], grid.bins)
    spectrum = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64) * 1e-5
    plain, fast = np.empty(shape, np.float32), np.empty(shape, np.float32)
    inversion._project(grid, spectrum, amplitudes, np.float32(1e-12), plain)
    inversion._project_compiled(inversion.kernels(), grid, spectrum, amplitudes, np.float32(1e-12), fast)
    assert np.linalg.norm((fast - plain) * np.abs(spectrum)) < 1e-5 * np.linalg.norm(plain * np.abs(spectrum))


@pytest.mark.parametrize("loops", ["compiled", "plain"])
def test_a_reflection_goes_as_far_beyond_the_nearest_as_it_came_from_before(loops):
    if loops == "compiled":
        pytest.importorskip("numba")
    from lullwave.spectrogram.grid import grid_of

    rng, grid = np.random.default_rng(8), grid_of(SpectrogramParams(), 1)
    search = inversion._Search(grid, np.ones((8, 512), np.float32), None)
    search.kernels = inversion.kernels() if loops == "compiled" else None
    subset = inversion._Subset(grid, search.mel, first=0, every=1, length=search.length)
    subset.state[:] = rng.standard_normal(subset.state.shape) + 1j * rng.standard_normal(subset.state.shape)
    subset.gains[:] = rng.uniform(0, 3, subset.gains.shape)
    near, mirrored = (
        search._reflected(subset, slice(0, 8), beyond, np.empty_like(subset.state)).copy() for beyond in (0.0, 1.0)
    )
    assert near == pytest.approx(subset.gains * subset.state, rel=1e-5)
    assert mirrored == pytest.approx(2 * near - subset.state, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("pad", [1, 2])
def test_projection_reaches_the_wanted_amplitudes(plucked, pad):
    from lullwave.spectrogram.grid import grid_of

    spectrogram = Spectrogram.from_audio(Audio.of(plucked, RATE))
    grid = grid_of(spectrogram.params, pad)
    amplitudes = np.ascontiguousarray(spectrogram.mel[0].T / spectrogram.mel.max())
    search = inversion._Search(grid, amplitudes, None)
    subset = inversion._Subset(grid, amplitudes, first=1, every=4, length=search.length)
    search._iterate(subset, search.first_sound(), None, last=True)
    near = subset.gains * subset.state
    seen = np.concatenate([np.abs(near), inversion._between(near, grid)], axis=1)
    assert np.linalg.norm(grid.observe @ seen.T - subset.mel) < 0.05 * np.linalg.norm(subset.mel)


@pytest.mark.parametrize("pad", [1, 2])
def test_between_bins_lie_what_a_finer_transform_has_on_them(pad):
    from lullwave.spectrogram.grid import grid_of

    grid = grid_of(SpectrogramParams(), pad)
    frames = np.random.default_rng(9).standard_normal((6, len(grid.window))).astype(np.float32) * grid.window
    fine = np.abs(np.fft.rfft(frames, n=2 * grid.n_fft, axis=1))[:, 1 : 2 * grid.between : 2]
    found = inversion._between(np.fft.rfft(frames, n=grid.n_fft, axis=1).astype(np.complex64), grid)
    assert np.linalg.norm(found - fine) < (0.05 if pad == 1 else 0.005) * np.linalg.norm(fine)


def test_an_inversion_is_freed_when_it_ends():
    from lullwave.spectrogram.grid import grid_of

    search = inversion._Search(grid_of(SpectrogramParams(), 2), np.ones((8, 512), np.float32), None)
    search.run(2)
    gone = weakref.ref(search)
    del search
    assert gone() is None


@pytest.mark.parametrize(("some", "many"), [(24, 64), (1, 64), (1, 1)])
def test_torch_equals_numpy(plucked, monkeypatch, some, many):
    """By each schedule; over many steps rounding alone would lead them apart."""
    pytest.importorskip("torch")
    monkeypatch.setattr(relaxation, "FINE_STEPS", some)
    monkeypatch.setattr(relaxation, "WIDE_STEPS", many)
    spectrogram = Spectrogram.from_audio(Audio.of(np.stack([plucked, plucked[::-1]], 1), RATE))
    one, other = spectrogram.to_audio(6).samples, spectrogram.to_audio(6, device="cpu").samples
    assert np.linalg.norm(one - other) < 1e-3 * np.linalg.norm(one)


def test_torch_is_as_good_when_it_takes_its_time(plucked):
    pytest.importorskip("torch")
    made = Spectrogram.from_audio(Audio.of(plucked, RATE)).to_audio(64, device="cpu")
    assert error_of(made.samples[:, 0], plucked) < 0.03


def test_what_is_too_long_for_a_device_is_made_without_it(caplog):
    pytest.importorskip("torch")
    mel = np.abs(np.random.default_rng(6).standard_normal((1, 512, 1600))).astype(np.float32)
    spectrogram = Spectrogram(mel, SpectrogramParams())
    assert np.array_equal(spectrogram.to_audio(0, device="cpu").samples, spectrogram.to_audio(0).samples)
    assert "1600 columns" in caplog.text


def test_the_same_every_time(plucked):
    spectrogram = Spectrogram.from_audio(Audio.of(plucked, RATE))
    assert np.array_equal(spectrogram.to_audio().samples, spectrogram.to_audio().samples)


def test_level_is_kept_and_not_normalised(plucked):
    for gain_db in (0.0, -20.0, -60.0):
        audio = Audio.of(plucked, RATE).gain(gain_db)
        made = Spectrogram.from_audio(audio).to_audio("good")
        assert abs(made.rms_dbfs - audio.rms_dbfs) < 0.3


def test_a_16_bit_image_keeps_the_level(plucked):
    spectrogram = Spectrogram.from_audio(Audio.of(plucked, RATE).gain(-30))
    again = Spectrogram.from_image(spectrogram.to_image(16))
    assert abs(again.to_audio().rms_dbfs - spectrogram.to_audio().rms_dbfs) < 0.1


def test_a_tone_comes_back_at_its_pitch():
    sound = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype(np.float32)
    made = Spectrogram.from_audio(Audio.of(sound, RATE)).to_audio("good").samples[:, 0]
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made))))
    assert abs(np.argmax(spectrum) * RATE / len(made) - 1000) < 1.5


def test_an_impulse_stays_an_impulse():
    sound = np.zeros(RATE, np.float32)
    sound[22050] = 0.9
    made = np.square(Spectrogram.from_audio(Audio.of(sound, RATE)).to_audio("good").samples[:, 0])
    assert abs(int(np.argmax(made)) - 22050) < 441
    near = slice(22050 - 441, 22050 + 442)
    assert made[near].sum() > 0.5 * made.sum()


def test_stereo_stays_apart(plucked):
    sound = np.stack([plucked, np.zeros_like(plucked)], axis=1)
    made = Spectrogram.from_audio(Audio(sound, RATE)).to_audio()
    assert np.abs(made.samples[:, 0]).max() > 0.05
    assert not made.samples[:, 1].any()


def test_silence_is_silence():
    made = Spectrogram.from_audio(Audio.silence(RATE, RATE)).to_audio("best")
    assert made.channels == 2
    assert not made.samples.any()


@pytest.mark.parametrize("columns", [1, 2, 3, 7])
def test_very_short_spectrograms(columns):
    made = Spectrogram(np.full((1, 512, columns), 1000.0, np.float32), SpectrogramParams()).to_audio()
    assert made.frames == (columns - 1) * 441
    assert np.isfinite(made.samples).all()


def test_long_sound_in_parts_equals_whole_and_has_no_seam():
    sound = np.tile(music(), 10)
    spectrogram = Spectrogram.from_audio(Audio.of(sound, RATE))
    whole = spectrogram.to_audio(4)
    cuts = range(0, spectrogram.columns, 301)
    parts = list(synthesise((spectrogram.mel[:, :, i : i + 301] for i in cuts), spectrogram.params, 4))
    assert len(parts) > 1
    assert np.array_equal(np.concatenate([part.samples for part in parts]), whole.samples)
    join = 1496 * 441
    step = np.abs(np.diff(whole.samples[:, 0]))
    assert step[join - 2 : join + 2].max() <= step[join - 2 * RATE : join + 2 * RATE].max()
    around = slice(1490, 1504)
    made = Spectrogram.from_audio(whole).mel[0]
    wanted = spectrogram.mel[0][:, : made.shape[1]]
    assert convergence(made[:, around], wanted[:, around]) < 0.15


@pytest.mark.parametrize("rate", [22050, 32000, 48000])
def test_other_rates(rate):
    sound = music(rate=rate)
    made = Spectrogram.from_audio(Audio.of(sound, rate)).to_audio()
    assert made.rate == rate
    assert abs(made.frames - len(sound)) <= rate // 100 + 1


def test_qualities_are_names_or_numbers():
    spectrogram = Spectrogram(np.ones((1, 512, 4), np.float32), SpectrogramParams())
    for wrong in ("finest", -1, True, 10**6):
        with pytest.raises(InvalidInput, match="quality"):
            spectrogram.to_audio(wrong)


@pytest.mark.parametrize("loops", ["compiled", "plain"])
@pytest.mark.parametrize(
    "unusual",
    [
        {"window_ms": 20},
        {"window_ms": 20, "bands": 1024},
        {"window_ms": 40, "bands": 768},
        {"window_ms": 50, "padded_ms": 200, "step_ms": 20},
        {"bands": 64},
        {"step_ms": 50},
        {"high_hz": 16000, "bands": 768},
    ],
    ids=str,
)
def test_it_comes_as_near_with_other_bands_and_windows(plucked, monkeypatch, unusual, loops):
    if loops == "plain":
        monkeypatch.setattr(inversion, "kernels", lambda: None)
    spectrogram = Spectrogram.from_audio(Audio.of(plucked, RATE), SpectrogramParams(**unusual))
    for steps, bound in ((4, 0.1), (16, 0.08)):
        made = Spectrogram.from_audio(spectrogram.to_audio(steps), spectrogram.params).mel
        wanted = spectrogram.mel[..., : made.shape[2]]
        assert np.linalg.norm(made - wanted) < bound * np.linalg.norm(wanted)


@pytest.mark.parametrize("hz", [100.0, 440.0, 1005.0, 2000.0])
@pytest.mark.parametrize("quality", ["fast", "good", 24])
def test_a_tone_comes_back_at_its_level(hz, quality):
    tone = Audio.of(0.3 * np.sin(2 * np.pi * hz * np.arange(2 * RATE) / RATE), RATE)
    made = Spectrogram.from_audio(tone).to_audio(quality)
    inside = slice(RATE // 10, -RATE // 10)
    assert abs(made[inside].rms_dbfs - tone[inside].rms_dbfs) < 0.05


@pytest.mark.parametrize("unusual", [{"step_ms": 2}, {"window_ms": 500, "padded_ms": 500}], ids=str)
def test_blocks_join_where_a_window_covers_many_steps(unusual):
    params = SpectrogramParams(**unusual)
    long_s, join_s = 1.3 * BLOCK * params.step_ms / 1000, (BLOCK - AHEAD) * params.step_ms / 1000
    tone = Audio.of(0.3 * np.sin(2 * np.pi * 330.0 * np.arange(round(long_s * RATE)) / RATE), RATE)
    made = Spectrogram.from_audio(tone, params).to_audio().samples[:, 0]
    bends = np.abs(np.diff(made, 2))
    join, near, edge = round(join_s * RATE), RATE // 10, RATE * params.window_ms // 1000
    assert bends[join - near : join + near].max() < 3.0 * np.quantile(bends[edge:-edge], 0.999)
    level = [np.square(made[at - near : at + near]).mean() for at in (join - 3 * near, join, join + 3 * near)]
    assert max(level) < 1.6 * min(level)


@pytest.mark.parametrize("band", [17, 18, 30, 45, 300])
def test_a_single_band_is_heard(band):
    mel = np.zeros((1, 512, 20), np.float32)
    mel[0, band] = 1e6
    made = Spectrogram(mel, SpectrogramParams()).to_audio(4)
    assert made.rms_dbfs > -60.0


@pytest.mark.parametrize(
    "degenerate",
    [
        {"rate": 44000, "step_ms": 1, "window_ms": 4, "padded_ms": 4, "bands": 16, "high_hz": 500},
        {"rate": 44000, "step_ms": 1, "window_ms": 2, "padded_ms": 8, "bands": 8, "high_hz": 100},
    ],
)
def test_hardly_any_bins_are_no_error(degenerate):
    params = SpectrogramParams(**degenerate)
    assert np.isfinite(Spectrogram(np.ones((1, params.bands, 9), np.float32), params).to_audio(4).samples).all()


def test_the_grid_is_that_of_every_image_of_one_kind():
    from lullwave.spectrogram.grid import grid_of

    assert grid_of(SpectrogramParams(max_value=3.0, stereo=True, power=0.5), 1) is grid_of(SpectrogramParams(), 1)


def test_where_nothing_compiled_can_be_kept_it_is_made_without(monkeypatch, caplog):
    """numba refuses when it is asked to cache and finds no folder that can be written to."""

    def njit(**_how):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setitem(sys.modules, "numba", types.SimpleNamespace(njit=njit))
    monkeypatch.delitem(sys.modules, "lullwave.spectrogram.numba_kernels", raising=False)
    monkeypatch.delattr("lullwave.spectrogram.numba_kernels", raising=False)
    assert acceleration.kernels.__wrapped__() is None
    assert "NUMBA_CACHE_DIR" in caplog.text


def test_a_lone_column_is_no_sound_on_a_device_either():
    pytest.importorskip("torch")
    lone = Spectrogram(np.ones((1, 512, 1), np.float32), SpectrogramParams())
    assert lone.to_audio(device="cpu").frames == lone.to_audio().frames == 0
