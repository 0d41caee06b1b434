"""The streaming codec against the reference library, whole and in chunks."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from lullwave.engines.musicgen.model.codec import CodecDecoder  # noqa: E402
from lullwave.engines.musicgen.model.weights import Weights  # noqa: E402

CPU = torch.device("cpu")


def test_streamed_codec_equals_whole_and_the_reference(tiny):
    model = transformers.MusicgenForConditionalGeneration.from_pretrained(tiny).eval().audio_encoder
    codes = torch.randint(0, 2048, (2, 4, 137))
    decoder = CodecDecoder(Weights(tiny), model.config, CPU, torch.float32)
    with torch.inference_mode():
        expected = model.decoder(model.quantizer.decode(codes.transpose(0, 1)))[:, 0]
        for sizes in ([137], [29] + [25] * 5, [8] + [1] * 129, [50, 3, 1, 83]):
            state, parts, at = (), [], 0
            for size in sizes:
                part, state = decoder(codes[:, :, at : at + size], state, at + size >= 137)
                parts.append(part)
                at += size
                made = sum(part.shape[1] for part in parts)
                assert at >= 137 or (at - decoder.lookahead_frames) * 640 <= made <= at * 640
            streamed = torch.cat(parts, 1)
            assert streamed.shape == expected.shape
            assert (streamed - expected).abs().max() < 1e-4 * expected.abs().max()


def test_codec_reads_weight_norm_by_its_older_name(tiny):
    config = transformers.AutoConfig.from_pretrained(tiny).audio_encoder
    weights = Weights(tiny)
    new = CodecDecoder(weights, config, CPU, torch.float32)

    class Older:
        directory = tiny

        def name(self, name):
            return name.replace("conv.weight_g", "conv.parametrizations.weight.original0").replace(
                "conv.weight_v", "conv.parametrizations.weight.original1"
            )

        def __contains__(self, name):
            return "parametrizations" not in name and self.name(name) in weights

        def get(self, name, shape=None):
            return weights.get(self.name(name), shape)

        def part(self, prefix):
            return weights.part(prefix)

    codes = torch.randint(0, 2048, (1, 4, 20))
    older = CodecDecoder(Older(), config, CPU, torch.float32)
    assert torch.equal(new(codes, (), True)[0], older(codes, (), True)[0])
