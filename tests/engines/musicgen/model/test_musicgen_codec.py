"""The streaming codec against the reference library, whole and in chunks."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from lullwave.engines.musicgen.model.codec import CodecDecoder  # noqa: E402
from lullwave.engines.musicgen.model.graphed_codec import GraphedCodec  # noqa: E402
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


def test_recorded_chunks_equal_those_of_the_codec(tiny):
    """Two songs in turns, with first, last and odd chunks between; the recording is repeated on its own buffers."""
    config = transformers.AutoConfig.from_pretrained(tiny).audio_encoder
    codec = CodecDecoder(Weights(tiny), config, CPU, torch.float32)
    recorded = []

    def record(work):
        recorded.append(work)
        result = work()

        def replay():  # as a graph does: into the tensors of the recording
            samples, state = work()
            for part, new in zip((result[0], *result[1]), (samples, *state), strict=True):
                part.copy_(new)
            return result

        return replay

    graphed = GraphedCodec(codec, 25, record)
    assert graphed.lookahead_frames == codec.lookahead_frames
    songs = torch.randint(0, 2048, (2, 1, 4, 137))
    states, made = {(c, s): () for c in (codec, graphed) for s in (0, 1)}, {}
    with torch.inference_mode():
        for start, stop in ((0, 29), (29, 54), (54, 79), (79, 82), (82, 107), (107, 132), (132, 137)):
            for (each, song), state in states.items():
                part, states[each, song] = each(songs[song][:, :, start:stop], state, stop == 137)
                made.setdefault((each, song), []).append(part)
    for song in (0, 1):
        assert torch.equal(torch.cat(made[codec, song], 1), torch.cat(made[graphed, song], 1))
    assert len(recorded) == 1


def test_a_codec_that_cannot_be_recorded_decodes_all_the_same(tiny, caplog):
    config = transformers.AutoConfig.from_pretrained(tiny).audio_encoder
    codec = CodecDecoder(Weights(tiny), config, CPU, torch.float32)

    def record(_):
        raise RuntimeError("operation not permitted when stream is capturing")

    graphed = GraphedCodec(codec, 25, record)
    codes = torch.randint(0, 2048, (1, 4, 79))
    with torch.inference_mode():
        _, state = codec(codes[:, :, :29])
        for at in (29, 54):
            expected, after = codec(codes[:, :, at : at + 25], state)
            made, state = graphed(codes[:, :, at : at + 25], state)
            assert torch.equal(made, expected)
            assert all(torch.equal(*pair) for pair in zip(state, after, strict=True))
    assert caplog.text.count("cannot be recorded") == 1


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
