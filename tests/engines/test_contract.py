"""Every engine passes ``lullwave.testing``: the built-in ones, one on another machine, and the example package."""

import importlib.util
from pathlib import Path

import pytest
from inference_servers import inferring

from lullwave import load_engine
from lullwave.testing import EngineContract

BIRDSONG = Path(__file__).parents[2] / "examples" / "lullwave-birdsong" / "lullwave_birdsong.py"


class TestSynth(EngineContract):
    heard_within_s = 4.0  # in the first bar, at the next one

    def load(self):
        return load_engine("synth")


class TestMusicGen(EngineContract):
    read_s = 0.7
    directory: str

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def checkpoint(cls, tmp_path_factory):
        pytest.importorskip("torch")
        pytest.importorskip("transformers")
        from lullwave.engines.musicgen.model.random_checkpoint import write_random

        cls.directory = str(write_random("musicgen-tiny", tmp_path_factory.mktemp("contract") / "musicgen"))

    def load(self):
        from lullwave.engines.linear import int8_available

        dtype = "int8" if int8_available() else "float32"
        return load_engine("musicgen", model=self.directory, dtype=dtype, device="cpu", threads=1)


class TestRiffusion(EngineContract):
    """With tiles of 0.64 s instead of 5.12 s."""

    options = {"steps": 1}  # noqa: RUF012
    read_s = 0.7
    directory: str

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def checkpoint(cls, tmp_path_factory):
        pytest.importorskip("torch")
        pytest.importorskip("diffusers")
        from lullwave.engines.riffusion import engine
        from lullwave.engines.riffusion.model.random_checkpoint import make_random

        cls.directory = str(make_random(tmp_path_factory.mktemp("contract") / "riffusion", seed=3))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine, "TILE", 64)
            patch.setattr(engine._GeneratedTiles, "tile", 64)
            yield

    def load(self):
        return load_engine("riffusion", checkpoint=self.directory, device="cpu", dtype="float32")


class TestStableAudio(EngineContract):
    options = {"steps": 1, "window_s": 3.0, "context_s": 1.0}  # noqa: RUF012
    heard_within_s = 7.0  # from the next window on
    exact_together = False  # windows of several streams share a batch in floating point
    directory: str

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def checkpoint(cls, tmp_path_factory):
        pytest.importorskip("torch")
        pytest.importorskip("diffusers")
        from lullwave.engines.stable_audio.model.random_checkpoint import make_random

        cls.directory = str(make_random(tmp_path_factory.mktemp("contract") / "stable-audio", seed=3))

    def load(self):
        return load_engine("stable-audio", checkpoint=self.directory, device="cpu", dtype="float32")


class TestStableAudioNative(TestStableAudio):
    exact_together = True

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def checkpoint(cls, tmp_path_factory):
        pytest.importorskip("torch")
        pytest.importorskip("diffusers")
        native = pytest.importorskip("lullwave_native", reason="lullwave-native is not installed: make native")
        if not native.layer_levels():
            pytest.skip("no CPU that multiplies bfloat16")
        from lullwave.engines.stable_audio.model.random_checkpoint import make_random

        wide = {"dim_heads": 64, "encoder_channels": 64}
        directory = tmp_path_factory.mktemp("contract") / "stable-audio-64"
        cls.directory = str(make_random(directory, seed=3, autoencoder=wide, embed_dim=128, num_heads=2))

    def load(self):
        given = {"checkpoint": self.directory, "device": "cpu", "dtype": "bfloat16", "backend": "native"}
        return load_engine("stable-audio", **given)


class TestExample(EngineContract):
    prompt, other_prompt = "lively", "calm"
    options = {"birds": 8}  # noqa: RUF012

    def load(self):
        spec = importlib.util.spec_from_file_location("lullwave_birdsong", BIRDSONG)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.Birdsong()


class TestRemote(TestExample):
    """The example behind an inference server."""

    url: str

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def server(cls):
        with inferring(TestExample().load()) as served:
            cls.url = served.url
            yield

    def load(self):
        return load_engine(self.url)
