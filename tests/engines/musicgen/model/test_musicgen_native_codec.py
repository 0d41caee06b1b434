"""The codec's native layers against torch's operators, the definition of the LSTM and the reference library."""

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
native = pytest.importorskip("lullwave_native", reason="lullwave-native is not installed: make native")

from lullwave.engines.musicgen.model.codec import CodecDecoder, CompactLstm, Conv, Layers, Up  # noqa: E402
from lullwave.engines.musicgen.model.grouped_int8 import GroupedInt8Linear  # noqa: E402
from lullwave.engines.musicgen.model.native_codec import NativeLayers  # noqa: E402
from lullwave.engines.musicgen.model.weights import Weights  # noqa: E402

CPU = torch.device("cpu")
LEVELS = native.levels()
ROUNDING = 1e-5  # of samples, against their peak


def close(made, expected):
    return made.shape == expected.shape and (made - expected).abs().max() <= ROUNDING * expected.abs().max()


def noise(*size, seed=1):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed))


def in_pieces(layer, x, sizes):
    """The layer's outputs for x (B, C, T), given piece by piece."""
    state, parts, at = None, [], 0
    for size in sizes:
        part, state = layer(x[..., at : at + size], state, at + size == x.shape[-1])
        parts.append(part)
        at += size
    return torch.cat(parts, -1)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("inputs", "outputs", "taps"), [(3, 1, 7), (16, 24, 3), (40, 32, 1), (8, 50, 2)])
def test_convolutions_equal_those_of_torch(level, inputs, outputs, taps):
    weight, bias = noise(outputs, inputs, taps), noise(outputs)
    layer, expected = NativeLayers(native, 2, level=level).conv(weight, bias), Conv(weight, bias)
    x = noise(2, inputs, 300)
    for sizes in ([300], [100, 200], [8, 1, 2, 60, 229]):
        assert close(in_pieces(layer, x, sizes), in_pieces(expected, x, sizes))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("stride", [1, 4, 5])
def test_upsampling_equals_that_of_torch(level, stride):
    weight, bias = noise(6, 20, 2 * stride), noise(20)
    layer, expected = NativeLayers(native, 2, level=level).up(weight, bias), Up(weight, bias)
    x = noise(2, 6, 120)
    for sizes in ([120], [1, 2, 17, 100]):
        assert close(in_pieces(layer, x, sizes), in_pieces(expected, x, sizes))


@pytest.mark.parametrize("level", LEVELS)
def test_elu_equals_that_of_torch(level):
    x = torch.cat([noise(5, 7, 11).flatten() * 4, torch.tensor([0.0, -0.0, 1e-7, -1e-7, -200.0, 200.0])])[None, None]
    expected = torch.nn.functional.elu(x)
    for inplace in (False, True):
        made = NativeLayers(native, 2, level=level).elu(x, inplace)
        torch.testing.assert_close(made, expected, rtol=1e-6, atol=2e-7)


@pytest.mark.parametrize("level", LEVELS)
def test_the_lstm_equals_its_definition(level):
    """Two layers, two songs; in chunks, with one thread and with three: the same bits."""
    size = 48
    weights = {f"weight_{k}_l{i}": noise(4 * size, size, seed=i) * 0.2 for k in ("ih", "hh") for i in (0, 1)}
    weights |= {f"bias_{k}_l{i}": noise(4 * size, seed=9 + i) * 0.2 for k in ("ih", "hh") for i in (0, 1)}
    x = noise(2, size, 40)
    expected, state = CompactLstm(weights, torch.float32, GroupedInt8Linear)(x, None)
    made, after = NativeLayers(native, 1, level=level).lstm(weights)(x, None)
    assert (made - expected).norm() < 2e-3 * expected.norm()  # some inputs are rounded to the neighbouring level
    assert all((a - b).norm() < 5e-3 * b.norm() for a, b in zip(after, state, strict=True))
    team, parts, state = NativeLayers(native, 3, level=level).lstm(weights), [], None
    for piece in x.split([1, 17, 22], -1):
        part, state = team(piece, state)
        parts.append(part)
    assert torch.equal(torch.cat(parts, -1), made)
    assert all(map(torch.equal, state, after))


class FloatLstm(NativeLayers):
    """Native layers, but for the LSTM: torch's in float32."""

    def lstm(self, weights):
        return Layers.lstm(self, weights)


@pytest.mark.parametrize("sizes", [[137], [29, 25, 25, 25, 25, 8], [8, 1, 1, 1, 126], [50, 3, 1, 83]])
def test_streamed_samples_equal_those_of_the_reference(tiny, sizes):
    model = transformers.MusicgenForConditionalGeneration.from_pretrained(tiny).eval().audio_encoder
    codes = torch.randint(0, 2048, (2, 4, 137), generator=torch.Generator().manual_seed(3))
    layers = FloatLstm(native, 2)
    decoder = CodecDecoder(Weights(tiny), model.config, CPU, torch.float32, layers=layers)
    with torch.inference_mode():
        expected = model.decoder(model.quantizer.decode(codes.transpose(0, 1)))[:, 0]
        state, parts, at = (), [], 0
        for size in sizes:
            part, state = decoder(codes[:, :, at : at + size], state, at + size == 137)
            parts.append(part)
            at += size
    assert close(torch.cat(parts, 1), expected)


def test_samples_have_the_same_bits_whatever_the_chunks_threads_and_company(tiny):
    config = transformers.AutoConfig.from_pretrained(tiny).audio_encoder
    alone, team = (
        CodecDecoder(Weights(tiny), config, CPU, torch.float32, layers=NativeLayers(native, threads))
        for threads in (1, 3)
    )
    codes = torch.randint(0, 2048, (2, 4, 60), generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        both, _ = team(codes, (), True)
        first, state = alone(codes[:1, :, :29])
        rest = alone(codes[:1, :, 29:], state, True)[0]
    assert torch.equal(torch.cat([first, rest], 1), both[:1])


def test_wrong_shapes_raise():
    team = native.CodecTeam(2)
    matrix = native.FloatMatrix(noise(5, 12), noise(5))
    recurrent = native.Linear(torch.zeros(64, 16, dtype=torch.int8), torch.zeros(64, 1), *no_loud(64))
    wide = native.Linear(torch.zeros(48, 16, dtype=torch.int8), torch.zeros(48, 1), *no_loud(48))
    rows, out, state = noise(1, 6, 4), torch.empty(1, 4, 5), torch.zeros(1, 16)
    gates, made = noise(1, 3, 64), torch.empty(1, 3, 16)
    team.multiply(matrix, 3, None, rows, None, None, None, out)
    team.lstm(recurrent, gates, state, state.clone(), made)
    for wrong in (
        lambda: native.FloatMatrix(noise(5, 12), noise(4)),
        lambda: native.FloatMatrix(torch.zeros(0, 12), torch.zeros(0)),
        lambda: native.CodecTeam(0),
        lambda: team.multiply(matrix, 0, None, rows, None, None, None, out),
        lambda: team.multiply(matrix, 2, None, rows, None, None, None, out),
        lambda: team.multiply(matrix, 3, None, rows[:, :2], None, None, None, out),
        lambda: team.multiply(matrix, 3, None, rows, None, None, None, out[:, :3]),
        lambda: team.multiply(matrix, 3, noise(2, 1, 4), rows, None, None, None, out),
        lambda: team.multiply(matrix, 3, None, rows, None, None, noise(1, 3, 5), out),
        lambda: team.multiply(matrix, 3, None, rows, None, None, noise(1, 4, 4), out),
        lambda: team.elu(rows, torch.empty(1, 6, 5)),
        lambda: team.lstm(recurrent, gates[..., :60], state, state, made),
        lambda: team.lstm(recurrent, gates, state[:, :8], state, made),
        lambda: team.lstm(recurrent, gates, state, state, made[:, :2]),
        lambda: team.lstm(wide, gates, state, state, made),
    ):
        with pytest.raises((TypeError, ValueError)):
            wrong()


def no_loud(outputs):
    return torch.zeros(0, dtype=torch.int32), torch.zeros(outputs, 0)


def test_long_sequences_are_computed_to_their_end():
    """One thread's part has more than 65536 chunks."""
    x = torch.ones(1, 48 * 65600, 1)
    out = torch.zeros_like(x)
    native.CodecTeam(1).multiply(
        native.FloatMatrix(torch.ones(1, 1), torch.zeros(1)), 1, None, x, None, None, None, out
    )
    assert torch.equal(out, x)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space as Linux does")
def test_threads_that_cannot_be_started_raise():
    code = """
import resource
import lullwave_native
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20),) * 2)
try:
    lullwave_native.CodecTeam(256)
except (RuntimeError, MemoryError) as error:
    print("raised", bool(str(error)))
print(lullwave_native.CodecTeam(1) is not None)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (told.returncode, told.stdout.split()) == (0, ["raised", "True", "True"]), told.stderr
