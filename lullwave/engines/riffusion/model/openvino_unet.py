"""Runs the UNet with OpenVINO on a CPU, in floating point or in 8 bits, behind the interface of diffusers.

The network is traced once with dynamic sizes and with the loop switch as an input, which multiplies the columns of the
opposite edge by 0 or 1. For 8 bits ``nncf`` quantizes it after training; the ranges come from a short denoising run,
whose inputs are typical. That takes minutes, so the quantized network is kept beside the models.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from ....checkpoints import models_dir
from ....errors import MissingExtra
from .circular_padding import LoopSwitch

log = logging.getLogger(__name__)

STEPS = 12  # of the denoising run for calibration
GUIDANCE = 7.0  # of that run: the default of requests
TOKENS = 77  # of the example that is traced: one chunk of text
BETAS = 0.00085, 0.012  # first and last of Stable Diffusion's "scaled linear" schedule


class OpenVinoUNet:
    """A UNet compiled for this CPU. One thread at a time."""

    def __init__(self, model: Any, loop: LoopSwitch, dtype: torch.dtype) -> None:
        """``dtype``: precision of the layers that are not quantized, bfloat16 or float32."""
        hint = "bf16" if dtype == torch.bfloat16 else "f32"
        options = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._request = _openvino().Core().compile_model(model, "CPU", options).create_infer_request()
        self._loop = loop

    def __call__(self, sample: torch.Tensor, timestep: Any, encoder_hidden_states: torch.Tensor) -> Any:
        """Predict the noise: ``.sample`` is (B, 4, H, W) float32, for (B, 4, H, W) latents and (B, L, D) text."""
        made = self._request.infer(
            [
                np.ascontiguousarray(sample.float().numpy()),
                np.asarray([float(timestep)], np.float32),
                np.ascontiguousarray(encoder_hidden_states.float().numpy()),
                np.asarray([float(bool(self._loop.closed))], np.float32),
            ]
        )
        return SimpleNamespace(sample=torch.from_numpy(np.array(made[0])))


def to_openvino(
    unet: nn.Module,
    loop: LoopSwitch,
    dtype: torch.dtype,
    text: torch.Tensor | None = None,
    sources: Sequence[Path] = (),
    lora: str = "",
) -> OpenVinoUNet:
    """Convert ``unet``, which is on the CPU in float32 and obeys ``loop``.

    With ``text`` (2, L, D), the embeddings of a typical and of an empty prompt, it is quantized to 8 bits. The
    quantized network is kept under a hash of the ``sources``, its weight files, and of the ``lora`` option.

    Raises:
        MissingExtra: OpenVINO is not installed, or nncf for 8 bits.
    """
    ov = _openvino()
    if text is None:
        return OpenVinoUNet(_traced(ov, unet, loop), loop, dtype)
    nncf = _imported("nncf")
    kept = models_dir() / "openvino" / _cache_key(sources, lora, ov.__version__, nncf.__version__) / "unet.xml"
    if kept.is_file():
        return OpenVinoUNet(ov.Core().read_model(kept), loop, dtype)
    log.info("quantizing the UNet to 8 bits; this takes some minutes, once")
    model = _traced(ov, unet, loop)
    examples = list(_examples(OpenVinoUNet(model, loop, dtype), text))
    with redirect_stdout(sys.stderr):  # nncf prints its progress; standard output may carry a clip
        quantized = nncf.quantize(
            model,
            nncf.Dataset(examples),
            subset_size=len(examples),
            model_type=nncf.ModelType.TRANSFORMER,
            fast_bias_correction=True,
        )
    _save(ov, quantized, kept)
    return OpenVinoUNet(quantized, loop, dtype)


def _cache_key(files: Sequence[Path], *more: str) -> str:
    digest = hashlib.sha256(f"{STEPS} {more}".encode())
    for file in sorted(files):
        with file.open("rb") as opened:
            digest.update(f"{file.name} {file.stat().st_size}".encode() + opened.read(1 << 20))
    return digest.hexdigest()[:16]


class _WithSwitch(nn.Module):
    """The UNet with the loop switch as an input."""

    def __init__(self, unet: nn.Module, loop: LoopSwitch) -> None:
        super().__init__()
        self.unet, self._loop = unet, loop

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, text: torch.Tensor, closed: torch.Tensor
    ) -> torch.Tensor:
        with self._loop.set(closed):
            made: torch.Tensor = self.unet(sample, timestep, encoder_hidden_states=text, return_dict=False)[0]
            return made


def _traced(ov: Any, unet: Any, loop: LoopSwitch) -> Any:
    width = unet.config.cross_attention_dim
    example = torch.zeros(2, 4, 64, 64), torch.ones(1), torch.zeros(2, TOKENS, width), torch.zeros(1)
    sizes = [[-1, 4, -1, -1], [1], [-1, -1, width], [1]]
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about size checks that become constants
        return ov.convert_model(_WithSwitch(unet, loop), example_input=example, input=sizes)


def _examples(unet: OpenVinoUNet, text: torch.Tensor) -> Iterator[tuple[Any, ...]]:
    """Inputs of the UNet while it denoises an image with guidance and DDIM (Song et al. 2020, eq. 12)."""
    generator = torch.Generator().manual_seed(0)
    variances = torch.linspace(BETAS[0] ** 0.5, BETAS[1] ** 0.5, 1000) ** 2
    kept = torch.cumprod(1 - variances, 0)
    latents = torch.randn(1, 4, 64, 64, generator=generator)
    levels = torch.linspace(999, 0, STEPS + 1).round().long().tolist()
    for step, (at, following) in enumerate(pairwise(levels)):
        row, closed = step % 2, step // 2 % 2  # prompted and unprompted, loop open and closed, in turns
        level, switch = np.asarray([at], np.float32), np.asarray([closed], np.float32)
        yield latents.numpy(), level, text[row : row + 1].numpy(), switch
        towards, away = unet(torch.cat([latents, latents]), at, text).sample.chunk(2)
        noise = away + GUIDANCE * (towards - away)
        clean = (latents - (1 - kept[at]).sqrt() * noise) / kept[at].sqrt()
        latents = kept[following].sqrt() * clean + (1 - kept[following]).sqrt() * noise
        latents = latents / latents.std().clamp(min=1.0)  # about 1 for a trained network; a random one would diverge


def _save(ov: Any, model: Any, path: Path) -> None:
    """Save atomically. If that fails, the network is quantized again at the next start."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name("new.xml")
        ov.save_model(model, new, compress_to_fp16=False)
        new.with_suffix(".bin").replace(path.with_suffix(".bin"))
        new.replace(path)
    except (OSError, RuntimeError) as error:
        log.warning("the quantized UNet cannot be saved in %s: %s", path.parent, error)


def _openvino() -> Any:
    return _imported("openvino")


def _imported(name: str) -> Any:
    """Import a package of the extra without its telemetry."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    os.environ.setdefault("NNCF_CI", "1")
    try:
        return __import__(name)
    except ModuleNotFoundError as error:
        raise MissingExtra("OpenVINO", "openvino", error.name or name) from None
