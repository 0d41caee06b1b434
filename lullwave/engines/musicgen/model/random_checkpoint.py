"""Writes checkpoints with random weights in the published format and sizes, for tests and benchmarks.

They make noise, not music. Parity with the reference library and speed do not depend on the weights, so tests and
benchmarks need no download.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from ....errors import NotFound
from ....storage.atomic_files import new_folder
from .weights import quiet_transformers

log = logging.getLogger(__name__)

# name → (hidden, layers, heads, feed-forward), Copet et al. 2023 (arXiv:2306.05284), section 4.1
_SIZES = {
    "small": (1024, 24, 16, 4096),
    "medium": (1536, 48, 24, 6144),
    "large": (2048, 48, 32, 8192),
    "tiny": (64, 2, 4, 128),
}
_VARIANTS = {
    "facebook/musicgen-small": ("small", 1, False),
    "facebook/musicgen-medium": ("medium", 1, False),
    "facebook/musicgen-large": ("large", 1, False),
    "facebook/musicgen-melody": ("medium", 1, True),
    "facebook/musicgen-melody-large": ("large", 1, True),
    "facebook/musicgen-stereo-small": ("small", 2, False),
    "facebook/musicgen-stereo-medium": ("medium", 2, False),
    "facebook/musicgen-stereo-large": ("large", 2, False),
    "facebook/musicgen-stereo-melody": ("medium", 2, True),
    "facebook/musicgen-stereo-melody-large": ("large", 2, True),
    "musicgen-tiny": ("tiny", 1, False),
    "musicgen-tiny-stereo": ("tiny", 2, False),
    "musicgen-tiny-melody": ("tiny", 1, True),
}
_WORDS = (
    "the a and of with in on for calm lo fi piano guitar drums jazz synth wave wav ambient pads rain y night warm"
    " mellow bass soft slow dream y acoustic music beat hip hop vinyl gentle organic cosy bright dark fast"
)


def random_names() -> list[str]:
    """The names that ``write_random`` accepts."""
    return list(_VARIANTS)


def write_random(name: str, directory: Path, seed: int = 0) -> Path:
    """Write a checkpoint with the sizes of ``name`` and random weights; the same seed gives the same weights.

    Raises:
        NotFound: ``name`` is not one of ``random_names()``.
    """
    if name not in _VARIANTS:
        raise NotFound("architecture", name, _VARIANTS)
    with quiet_transformers(), new_folder(directory) as folder:
        _write(name, folder, seed)
    log.info("wrote %s with random weights to %s: it sounds like noise", name, directory)
    return directory


def _write(name: str, directory: Path, seed: int) -> None:
    import transformers

    size, channels, melody = _VARIANTS[name]
    codebooks = 4 * channels
    hidden, layers, heads, ffn = _SIZES[size]
    tiny = size == "tiny"
    text = transformers.T5Config(
        vocab_size=256 if tiny else 32128,
        d_model=48 if tiny else 768,
        d_kv=16 if tiny else 64,
        d_ff=96 if tiny else 3072,
        num_layers=2 if tiny else 12,
        num_heads=3 if tiny else 12,
    )
    audio = transformers.EncodecConfig(
        target_bandwidths=[2.2],
        sampling_rate=32000,
        num_filters=4 if tiny else 64,
        hidden_size=16 if tiny else 128,
        upsampling_ratios=[8, 5, 4, 4],
        codebook_size=2048,
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    kinds: Any = (transformers.MusicgenConfig, transformers.MusicgenDecoderConfig)
    if melody:
        kinds = (transformers.MusicgenMelodyConfig, transformers.MusicgenMelodyDecoderConfig)
    decoder = kinds[1](
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        ffn_dim=ffn,
        num_codebooks=codebooks,
        audio_channels=channels,
    )
    config = kinds[0](text_encoder=text.to_dict(), audio_encoder=audio.to_dict(), decoder=decoder.to_dict())
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(seed)
        model = _build(transformers, config, melody)
        for layer in model.audio_encoder.quantizer.layers:
            layer.codebook.embed.normal_(std=2.0)
        if tiny:  # with the default standard deviation of 0.02, so small a model hardly depends on its input
            with torch.no_grad():
                for parameter in model.decoder.parameters():
                    if parameter.dim() == 2:
                        parameter.mul_(8.0)
    finally:
        torch.random.set_rng_state(state)
    generation = model.generation_config
    generation.decoder_start_token_id = generation.bos_token_id = generation.pad_token_id = 2048
    generation.guidance_scale, generation.do_sample, generation.max_length = 3.0, True, 1500
    directory.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(directory)
    _tokenizer(transformers, text.vocab_size).save_pretrained(directory)


def _build(transformers: Any, config: Any, melody: bool) -> Any:
    kind = transformers.MusicgenMelodyForConditionalGeneration if melody else None
    model = (kind or transformers.MusicgenForConditionalGeneration)(config)
    return model.eval()


def _tokenizer(transformers: Any, vocabulary: int) -> Any:
    """A tokenizer like T5's that knows a few words and all printable ASCII characters."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    words = dict.fromkeys("▁" + word for word in _WORDS.split())
    signs = dict.fromkeys(["▁", *(chr(c) for c in range(33, 127))])
    pieces += [(word, -4.0) for word in words] + [(sign, -8.0) for sign in signs]
    pieces += [(f"<filler_{i}>", -20.0) for i in range(vocabulary - len(pieces))]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", "$A $B </s>", [("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )
