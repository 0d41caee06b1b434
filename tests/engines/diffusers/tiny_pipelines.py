"""Tiny random checkpoints of diffusers' text-to-audio pipelines, saved by diffusers itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from lullwave.engines.musicgen.model.random_checkpoint import _tokenizer
from lullwave.engines.riffusion.model.random_checkpoint import byte_vocabulary

VOCABULARY = 512


def write(name: str, directory: Path) -> Path:
    """Save the tiny pipeline of class ``name``; the same weights every time."""
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(0)
        pipeline = PIPELINES[name]()
    finally:
        torch.random.set_rng_state(state)
    modular = hasattr(pipeline, "blocks")
    pipeline.save_pretrained(str(directory), **({"overwrite_modular_index": True} if modular else {}))
    return directory


def _t5() -> tuple[Any, Any]:
    config = transformers.T5Config(vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=37, num_layers=2, num_heads=4)
    words = json.loads(_tokenizer(transformers, VOCABULARY).backend_tokenizer.to_str())["model"]["vocab"]
    tokenizer = transformers.T5Tokenizer(vocab=[(word, score) for word, score in words], extra_ids=0)
    tokenizer.model_max_length = 64
    return transformers.T5EncoderModel(config).eval(), tokenizer


def _clap() -> tuple[Any, Any, Any]:
    sizes = {"projection_dim": 32, "layer_norm_eps": 1e-5}
    text = {"hidden_size": 16, "intermediate_size": 37, "num_attention_heads": 2, "num_hidden_layers": 2,
            "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1, "vocab_size": VOCABULARY, **sizes}  # fmt: skip
    audio = {"spec_size": 64, "window_size": 4, "num_mel_bins": 64, "intermediate_size": 37, "depths": [2, 2],
             "num_attention_heads": [2, 2], "num_hidden_layers": 2, "hidden_size": 192, "patch_size": 2,
             "patch_stride": 2, "patch_embed_input_channels": 4, **sizes}  # fmt: skip
    config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=32)
    special = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4}
    letters = [token for token in byte_vocabulary() if not token.startswith("<") and not token.endswith("</w>")]
    vocabulary = {**special, **{letter: 5 + n for n, letter in enumerate(letters)}}
    tokenizer = transformers.RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=77)
    return transformers.ClapModel(config).eval(), tokenizer, transformers.ClapFeatureExtractor(hop_length=7900)


def _vocoder(rate: int = 16000) -> Any:
    config = transformers.SpeechT5HifiGanConfig(
        model_in_dim=8, sampling_rate=rate, upsample_initial_channel=16, upsample_rates=[4, 8],
        upsample_kernel_sizes=[8, 16], resblock_kernel_sizes=[3, 7],
        resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]], normalize_before=False,
    )  # fmt: skip
    return transformers.SpeechT5HifiGan(config).eval()


def _vae(width: int) -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=[width, 2 * width], in_channels=1, out_channels=1, norm_num_groups=8, latent_channels=4,
        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
    )  # fmt: skip


def _ddim() -> Any:
    return diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False
    )


def _blocks() -> dict[str, Any]:
    return {
        "in_channels": 4, "out_channels": 4, "sample_size": 128, "layers_per_block": 1, "norm_num_groups": 8,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }  # fmt: skip


def _stable_audio() -> Any:
    encoder, tokenizer = _t5()
    return diffusers.StableAudioPipeline(
        vae=diffusers.AutoencoderOobleck(
            encoder_hidden_size=6, downsampling_ratios=[10, 20], decoder_channels=3, decoder_input_channels=3,
            audio_channels=2, channel_multiples=[2, 4], sampling_rate=8000,
        ),
        text_encoder=encoder,
        projection_model=diffusers.StableAudioProjectionModel(32, 4, 0, 32),
        tokenizer=tokenizer,
        transformer=diffusers.StableAudioDiTModel(
            sample_size=80, in_channels=3, num_layers=2, attention_head_dim=4, num_attention_heads=2,
            num_key_value_attention_heads=2, out_channels=3, cross_attention_dim=4, time_proj_dim=8,
            global_states_input_dim=8, cross_attention_input_dim=4,
        ),
        scheduler=diffusers.EDMDPMSolverMultistepScheduler(
            solver_order=2, prediction_type="v_prediction", sigma_data=1.0, sigma_schedule="exponential"
        ),
    )  # fmt: skip


def _musicldm() -> Any:
    clap, tokenizer, extractor = _clap()
    unet = diffusers.UNet2DConditionModel(
        **_blocks(), block_out_channels=(16, 32), cross_attention_dim=(16, 32), class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=32, class_embeddings_concat=True,
    )  # fmt: skip
    return diffusers.MusicLDMPipeline(
        vae=_vae(16), text_encoder=clap, tokenizer=tokenizer, feature_extractor=extractor, unet=unet,
        scheduler=_ddim(), vocoder=_vocoder(),
    )  # fmt: skip


def _audioldm() -> Any:
    clap, tokenizer, _ = _clap()
    unet = diffusers.UNet2DConditionModel(
        **_blocks(), block_out_channels=(8, 16), cross_attention_dim=(8, 16), class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=32, class_embeddings_concat=True,
    )  # fmt: skip
    return diffusers.AudioLDMPipeline(
        vae=_vae(8), text_encoder=transformers.ClapTextModelWithProjection(clap.config.text_config).eval(),
        tokenizer=tokenizer, unet=unet, scheduler=_ddim(), vocoder=_vocoder(8000),
    )  # fmt: skip


def _audioldm2() -> Any:
    clap, tokenizer, extractor = _clap()
    encoder, t5_tokenizer = _t5()
    config = transformers.GPT2Config(
        n_embd=16, n_head=2, n_layer=2, n_ctx=99, n_positions=99, vocab_size=VOCABULARY, max_new_tokens=8
    )
    unet = diffusers.AudioLDM2UNet2DConditionModel(**_blocks(), block_out_channels=(8, 16), cross_attention_dim=(8, 16))
    return diffusers.AudioLDM2Pipeline(
        vae=_vae(8), text_encoder=clap, text_encoder_2=encoder,
        projection_model=diffusers.AudioLDM2ProjectionModel(32, 32, 16),
        language_model=transformers.GPT2LMHeadModel(config).eval(), tokenizer=tokenizer, tokenizer_2=t5_tokenizer,
        feature_extractor=extractor, unet=unet, scheduler=_ddim(), vocoder=_vocoder(),
    )  # fmt: skip


def _ace_step() -> Any:
    from diffusers.pipelines.ace_step.modeling_ace_step import AceStepConditionEncoder

    config = transformers.Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8,
    )  # fmt: skip
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
             "head_dim": 8}  # fmt: skip
    return diffusers.AceStepPipeline(
        vae=diffusers.AutoencoderOobleck(
            encoder_hidden_size=6, downsampling_ratios=[10, 32], decoder_channels=3, decoder_input_channels=8,
            audio_channels=2, channel_multiples=[2, 4], sampling_rate=8000,
        ),
        text_encoder=transformers.Qwen3Model(config).eval(),
        tokenizer=_tokenizer(transformers, VOCABULARY),
        transformer=diffusers.AceStepTransformer1DModel(
            num_hidden_layers=2, in_channels=24, audio_acoustic_hidden_dim=8, encoder_hidden_size=32, **shape
        ),
        condition_encoder=AceStepConditionEncoder(
            text_hidden_dim=32, timbre_hidden_dim=8, num_lyric_encoder_hidden_layers=2,
            num_timbre_encoder_hidden_layers=2, **shape,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
    )  # fmt: skip


def _minimax_music3() -> Any:
    """Five frames of the language model in two seconds, and sound at 8 kHz; the ids of its tokens are as published."""
    letters = [token for token in byte_vocabulary() if not token.startswith("<") and not token.endswith("</w>")]
    words = ("im_start", "im_end", "caption_start", "caption_end", "lyrics_start", "lyrics_end", "audio_start")
    special = [f"<|{word}|>" for word in words]
    tokenizer = transformers.Qwen2Tokenizer(
        vocab={token: n for n, token in enumerate(["<|endoftext|>", *letters])}, merges=[],
        additional_special_tokens=special,
    )  # fmt: skip
    config = transformers.Qwen3Config(
        vocab_size=168_064, hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=4,
    )  # fmt: skip
    pipeline = diffusers.MiniMaxMusic3Blocks().init_pipeline()
    pipeline.update_components(
        tokenizer=tokenizer,
        language_model=transformers.Qwen3ForCausalLM(config).eval(),
        rvq_depth_decoder=diffusers.MiniMaxMusic3RVQDepthDecoder(
            hidden_size=8, num_layers=1, num_attention_heads=2, intermediate_size=16, audio_vocab_size=64,
            num_codebooks=2,
        ),
        condition_encoder=diffusers.MiniMaxMusic3ConditionEncoder(
            condition_hidden_dim=8, num_condition_layers=2, out_dim=8, input_hop_length=9600,
            output_sampling_rate=8000, output_hop_length=64,
        ),
        transformer=diffusers.MiniMaxMusic3Transformer1DModel(
            in_channels=4, condition_dim=8, num_layers=1, num_attention_heads=1, attention_head_dim=8, ff_inner_dim=16,
            rotary_dim=4, fourier_embedding_dim=8,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0, invert_sigmas=True),
        vocoder=diffusers.MiniMaxMusic3Vocoder(
            latent_channels=4, decoder_input_dim=4, decoder_hidden_dim=8, upsampling_ratios=(8, 8), sampling_rate=8000
        ),
    )  # fmt: skip
    return pipeline


PIPELINES: dict[str, Callable[[], Any]] = {
    "StableAudioPipeline": _stable_audio,
    "AceStepPipeline": _ace_step,
    "AudioLDMPipeline": _audioldm,
    "AudioLDM2Pipeline": _audioldm2,
    "MusicLDMPipeline": _musicldm,
    "MiniMaxMusic3ModularPipeline": _minimax_music3,
}
