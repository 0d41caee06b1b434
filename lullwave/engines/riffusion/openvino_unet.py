"""The UNet on a CPU by OpenVINO, called as diffusers' own is; knows nothing of prompts, schedules or sound.

The network is traced once with open sizes, and with the switch that closes its loop as an input: what stands beyond an
edge is the opposite column times 0 or 1. In 8 bits its products are quantized after training (``nncf``): ranges come
from a short denoising of its own in bfloat16, as what the UNet sees then is what it will see. That takes minutes, so
the result is kept beside the models.
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

from ...checkpoints import models_dir
from ...errors import MissingExtra
from .circular_padding import Loop

log = logging.getLogger(__name__)

STEPS = 12  # of the denoising that ranges are taken from
GUIDANCE = 7.0
TOKENS = 77
NOISE_ENDS = 0.00085, 0.012  # of Stable Diffusion's variances, in square roots linear (its "scaled linear" schedule)


class OpenVinoUNet:
    """A UNet that was compiled for this CPU."""

    def __init__(self, model: Any, loop: Loop, dtype: torch.dtype) -> None:
        """``dtype``: of what is not quantized, bfloat16 or float32."""
        hint = "bf16" if dtype == torch.bfloat16 else "f32"
        options = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._request = _openvino().Core().compile_model(model, "CPU", options).create_infer_request()
        self._loop = loop

    def __call__(self, sample: torch.Tensor, timestep: Any, encoder_hidden_states: torch.Tensor) -> Any:
        """``.sample`` is the noise (N, 4, H, W), float32, of ``sample`` with text (N, S, D)."""
        made = self._request.infer(
            [
                np.ascontiguousarray(sample.float().numpy()),
                np.asarray([float(timestep)], np.float32),
                np.ascontiguousarray(encoder_hidden_states.float().numpy()),
                np.asarray([float(bool(self._loop.closed))], np.float32),
            ]
        )
        return SimpleNamespace(sample=torch.from_numpy(np.array(made[0])))


def open_vino(
    unet: nn.Module,
    loop: Loop,
    dtype: torch.dtype,
    text: torch.Tensor | None = None,
    files: Sequence[Path] = (),
    blended: str = "",
) -> OpenVinoUNet:
    """``unet``, which is on the CPU in float32 and obeys ``loop``, by OpenVINO.

    With ``text`` (2, S, D), states of some words and of none, it is brought to 8 bits; that form is kept, under a name
    made of the ``files`` of the weights and of how they were ``blended``.

    Raises:
        MissingExtra: OpenVINO is not installed, or for 8 bits nncf.
    """
    ov = _openvino()
    if text is None:
        return OpenVinoUNet(_traced(ov, unet, loop), loop, dtype)
    nncf = _imported("nncf")
    kept = models_dir() / "openvino" / _name(files, blended, ov.__version__, nncf.__version__) / "unet.xml"
    if kept.is_file():
        return OpenVinoUNet(ov.Core().read_model(kept), loop, dtype)
    log.info("the UNet is brought to 8 bits, which takes some minutes the first time")
    model = _traced(ov, unet, loop)
    examples = list(_examples(OpenVinoUNet(model, loop, dtype), text))
    with redirect_stdout(sys.stderr):  # its progress; a clip may go to standard output
        small = nncf.quantize(
            model,
            nncf.Dataset(examples),
            subset_size=len(examples),
            model_type=nncf.ModelType.TRANSFORMER,
            fast_bias_correction=True,
        )
    _keep(ov, small, kept)
    return OpenVinoUNet(small, loop, dtype)


def _name(files: Sequence[Path], *more: str) -> str:
    digest = hashlib.sha256(f"{STEPS} {more}".encode())
    for file in sorted(files):
        with file.open("rb") as opened:
            digest.update(f"{file.name} {file.stat().st_size}".encode() + opened.read(1 << 20))
    return digest.hexdigest()[:16]


class _WithSwitch(nn.Module):
    """The UNet with its loop's switch as an input."""

    def __init__(self, unet: nn.Module, loop: Loop) -> None:
        super().__init__()
        self.unet, self._loop = unet, loop

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, text: torch.Tensor, closed: torch.Tensor
    ) -> torch.Tensor:
        with self._loop.set(closed):
            made: torch.Tensor = self.unet(sample, timestep, encoder_hidden_states=text, return_dict=False)[0]
            return made


def _traced(ov: Any, unet: Any, loop: Loop) -> Any:
    width = unet.config.cross_attention_dim
    example = torch.zeros(2, 4, 64, 64), torch.ones(1), torch.zeros(2, TOKENS, width), torch.zeros(1)
    sizes = [[-1, 4, -1, -1], [1], [-1, -1, width], [1]]
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of checks of sizes, which hold
        return ov.convert_model(_WithSwitch(unet, loop), example_input=example, input=sizes)


def _examples(unet: OpenVinoUNet, text: torch.Tensor) -> Iterator[tuple[Any, ...]]:
    """What the UNet is given while an image is denoised with guidance: DDIM (Song et al. 2020, eq. 12)."""
    generator = torch.Generator().manual_seed(0)
    variances = torch.linspace(NOISE_ENDS[0] ** 0.5, NOISE_ENDS[1] ** 0.5, 1000) ** 2
    kept = torch.cumprod(1 - variances, 0)
    latents = torch.randn(1, 4, 64, 64, generator=generator)
    levels = torch.linspace(999, 0, STEPS + 1).round().long().tolist()
    for step, (at, following) in enumerate(pairwise(levels)):
        row, closed = step % 2, step // 2 % 2  # with words and without, loop open and closed, in turns
        level, switch = np.asarray([at], np.float32), np.asarray([closed], np.float32)
        yield latents.numpy(), level, text[row : row + 1].numpy(), switch
        towards, away = unet(torch.cat([latents, latents]), at, text).sample.chunk(2)
        noise = away + GUIDANCE * (towards - away)
        clean = (latents - (1 - kept[at]).sqrt() * noise) / kept[at].sqrt()
        latents = kept[following].sqrt() * clean + (1 - kept[following]).sqrt() * noise
        latents = latents / latents.std().clamp(min=1.0)  # a trained network keeps them about 1, a random one does not


def _keep(ov: Any, model: Any, path: Path) -> None:
    """Whole or not at all; what cannot be kept is made again at the next start."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name("new.xml")
        ov.save_model(model, new, compress_to_fp16=False)
        new.with_suffix(".bin").replace(path.with_suffix(".bin"))
        new.replace(path)
    except (OSError, RuntimeError) as error:
        log.warning("the UNet in 8 bits cannot be kept in %s: %s", path.parent, error)


def _openvino() -> Any:
    return _imported("openvino")


def _imported(name: str) -> Any:
    """A package of the extra. Both would report their use to their makers: that part is left out."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    os.environ.setdefault("NNCF_CI", "1")
    try:
        return __import__(name)
    except ModuleNotFoundError as error:
        raise MissingExtra("networks by OpenVINO", "openvino", error.name or name) from None
