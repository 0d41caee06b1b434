"""The engine on a tiny checkpoint: streams, options, levels, and the same samples every time."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from PIL import Image  # noqa: E402

import lullwave  # noqa: E402
from lullwave.device import choose_dtype  # noqa: E402
from lullwave.engines.riffusion.clip_options import Interpolation, PromptInput  # noqa: E402
from lullwave.engines.riffusion.spectrogram_converter import HOP, SpectrogramConverter, soft_clip  # noqa: E402
from lullwave.errors import CheckpointError, InvalidInput, NotFound  # noqa: E402


@pytest.fixture(scope="module")
def engine(checkpoint):
    with lullwave.load_engine("riffusion", checkpoint=str(checkpoint), device="cpu", dtype="float32") as loaded:
        yield loaded


def stream(engine, prompt="rainy piano", **options):
    return engine.stream(lullwave.Request(prompt, 5, options={"steps": 2, **options}))


def test_options_are_checked_by_name(engine):
    for options, error in (
        ({"steps": 0}, InvalidInput),
        ({"scheduler": "magic"}, InvalidInput),
        ({"seed_image": "nowhere"}, NotFound),
        ({"seed_image": "../x"}, InvalidInput),
        ({"speed": 1}, InvalidInput),
    ):
        with pytest.raises(error):
            stream(engine, **options)


def test_presets_set_what_is_not_set(engine):
    from lullwave.engines.riffusion.options import RiffusionOptions

    assert RiffusionOptions(preset="fast").chosen.scheduler == "lcm"
    assert RiffusionOptions(preset="fast", steps=6).chosen.steps == 6
    assert RiffusionOptions().chosen.steps == 20


def test_understanding_says_what_was_read(engine):
    understood = engine.understand("jazz :3 | rock, -drums :1")
    assert understood.understood["parts"] == {"jazz": 0.75, "rock": 0.25}
    assert understood.understood["avoid"] == "drums"


def test_a_clip_from_the_queue(engine):
    image = engine.submit(
        Interpolation(PromptInput("a", 1), PromptInput("b", 2), 0.5, num_inference_steps=2)
    ).result.result()
    audio = engine.converter.audio(image)
    assert audio.frames == 511 * HOP
    assert np.array_equal(engine.converter.audio(image).samples, audio.samples)


def test_levels_follow_the_image_and_nothing_else():
    """Clips do not jump: a clip's level does not depend on its own peak, and silence is silence."""
    grey = np.full((512, 64), 255, np.uint8)
    sound = SpectrogramConverter()
    assert np.abs(sound.audio(Image.fromarray(grey)).samples).max() < 1e-3
    grey[380:400] = 120
    quiet = sound.audio(Image.fromarray(grey)).rms_dbfs
    louder = grey.copy()
    louder[380:400] = 80
    expected = 4 * 20 * np.log10((255 - 80) / (255 - 120))
    assert sound.audio(Image.fromarray(louder)).rms_dbfs - quiet == pytest.approx(expected, abs=1.0)


def test_filters_are_made_once_and_not_for_every_clip(monkeypatch):
    from lullwave.spectrogram import grid

    image = Image.fromarray(np.full((512, 16), 200, np.uint8))
    grid._grid_of.cache_clear()
    made, make = [], grid.Grid.__init__
    monkeypatch.setattr(grid.Grid, "__init__", lambda self, *of, **named: made.append(of) or make(self, *of, **named))
    sound = SpectrogramConverter()
    for converter in (sound, sound, SpectrogramConverter()):
        converter.audio(image)
    assert len(made) == 1


def test_peaks_are_soft_clip_below_full_scale():
    samples = np.linspace(-3, 3, 1001).astype(np.float32)
    clipped = soft_clip(samples)
    assert np.abs(clipped).max() <= 1
    assert (np.diff(clipped) >= 0).all()
    inside = np.abs(samples) <= 0.8
    assert np.array_equal(clipped[inside], samples[inside])


def test_a_checkpoint_that_is_not_there_says_how_to_get_it(tmp_path):
    with pytest.raises(CheckpointError, match="lullwave models pull riffusion/riffusion-model-v1"):
        lullwave.load_engine("riffusion", offline=True)
    with pytest.raises(CheckpointError, match="no folder 'unet'"):
        lullwave.load_engine("riffusion", checkpoint=str(tmp_path))


def test_precisions_by_device():
    assert choose_dtype("auto", torch.device("cuda")) == torch.float16
    assert choose_dtype("auto", torch.device("mps")) == torch.float32
    assert choose_dtype("float32", torch.device("cuda")) == torch.float32


def test_half_precision_on_the_cpu_is_close(checkpoint, engine):
    with lullwave.load_engine("riffusion", checkpoint=str(checkpoint), device="cpu", dtype="bfloat16") as half:
        clip = Interpolation(PromptInput("a", 1), PromptInput("b", 2), 0.5, num_inference_steps=4)
        a, b = (np.asarray(e.submit(clip).result.result()).astype(float) for e in (half, engine))
    assert np.abs(a - b).mean() < 3
