"""OpenVINO's UNet gives what torch's gives: any batch and width, loop open and closed; in 8 bits nearly."""

import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("openvino")

from lullwave.engines.riffusion.engine import RiffusionEngine  # noqa: E402
from lullwave.engines.riffusion.model import openvino_unet  # noqa: E402
from lullwave.engines.riffusion.model.weights import load  # noqa: E402
from lullwave.errors import InvalidInput, MissingExtra  # noqa: E402


@pytest.fixture(scope="module")
def weights(checkpoint):
    return load(checkpoint, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def compiled(weights):
    return openvino_unet.to_openvino(weights.unet, weights.loop, torch.float32)


def inputs(weights, rows, width):
    generator = torch.Generator().manual_seed(rows * 100 + width)
    text = torch.randn(rows, 77, weights.unet.config.cross_attention_dim, generator=generator)
    return torch.randn(rows, 4, 16, width, generator=generator), torch.tensor(321.0), text


def apart(made, wanted):
    return float((made.float() - wanted).norm() / wanted.norm())


@pytest.mark.parametrize(("rows", "width", "closed"), [(1, 16, False), (2, 16, True), (3, 24, False)])
def test_it_is_the_same_network(weights, compiled, rows, width, closed):
    shown, level, text = inputs(weights, rows, width)
    with torch.inference_mode(), weights.loop.set(closed):
        wanted = weights.unet(shown, level, encoder_hidden_states=text).sample
        assert apart(compiled(shown, level, text).sample, wanted) < 1e-4


def test_an_open_loop_is_not_a_closed_one(weights, compiled):
    shown, level, text = inputs(weights, 1, 16)
    with weights.loop.set(True):
        closed = compiled(shown, level, text).sample
    assert apart(compiled(shown, level, text).sample, closed) > 1e-2


@pytest.mark.slow  # more than a minute of one core
def test_eight_bits_are_near_and_kept_for_the_next_start(checkpoint, tmp_path, monkeypatch, capfd):
    pytest.importorskip("nncf")
    monkeypatch.setenv("LULLWAVE_MODELS_DIR", str(tmp_path))
    engine = RiffusionEngine(checkpoint=str(checkpoint), device="cpu", dtype="int8")
    assert len(list(tmp_path.rglob("unet.xml"))) == 1
    assert capfd.readouterr().out == ""  # a clip may go to standard output

    plain = load(checkpoint, torch.device("cpu"), torch.float32)
    shown, level, text = inputs(plain, 2, 16)
    with torch.inference_mode():
        wanted = plain.unet(shown, level, encoder_hidden_states=text).sample
    made = engine.pipeline._weights.unet(shown, level, text).sample
    assert apart(made, wanted) < 0.3  # random weights of a tiny network
    engine.close()

    def never(*_args, **_kept):
        raise AssertionError("it was kept")

    monkeypatch.setattr(openvino_unet, "_traced", never)
    again = RiffusionEngine(checkpoint=str(checkpoint), device="cpu", dtype="int8")
    assert torch.equal(again.pipeline._weights.unet(shown, level, text).sample, made)
    again.close()


def test_int8_is_for_cpus():
    from lullwave.device import choose_dtype

    with pytest.raises(InvalidInput, match="int8 is for CPUs"):
        choose_dtype("int8", torch.device("cuda"))


def test_without_openvino_the_extra_is_named(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtra, match=r"lullwave\[openvino\]"):
        openvino_unet.to_openvino(weights.unet, weights.loop, torch.float32)
