"""How far Stable Audio 3 in bfloat16 is from float32: relative errors of a velocity, and of the sound of given latents.

``python -m bench.neural.stable_audio_error --checkpoint DIR``, a full-size random one made by ``lullwave models
make-random stable-audio-small DIR``. Rows: diffusers, torch's packed layers, and those of ``lullwave-native`` where the
CPU has kernels for them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderSAME, StableAudio3DiTModel

from lullwave.engines.stable_audio.model.autoencoder import Autoencoder
from lullwave.engines.stable_audio.model.denoiser import Denoiser
from lullwave.engines.stable_audio.model.native_layers import NativeLayers, choose_layers

from .. import measure

LATENTS, SOUND, WORDS = 323, 60, 55  # half a minute, as many latents as are decoded, and states of a text
LEVEL = 0.4  # of the noise
CPU = torch.device("cpu")


@torch.inference_mode()
def main() -> None:
    """Print the table."""
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    ask.add_argument("--checkpoint", type=Path, required=True)
    directory = ask.parse_args().checkpoint
    torch.manual_seed(0)
    shapes = ((1, 256, LATENTS), (1, WORDS, 768), (1, 768), (1, 256, SOUND))
    latents, text, duration, sounding = (torch.randn(shape).bfloat16() for shape in shapes)

    def network(kind: Any, part: str, dtype: torch.dtype) -> Any:
        return kind.from_pretrained(directory / part, torch_dtype=dtype).requires_grad_(False).eval()

    def stock(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        context = torch.cat([duration[:, None], text], dim=1).to(dtype)
        transformer = network(StableAudio3DiTModel, "transformer", dtype)
        given = (latents.to(dtype), torch.full((1,), LEVEL), context, duration.to(dtype))
        velocity = transformer(*given).sample
        return velocity, network(AutoencoderSAME, "vae", dtype).decode(sounding.to(dtype)).sample

    def ours(native: NativeLayers | None) -> tuple[torch.Tensor, torch.Tensor]:
        transformer = network(StableAudio3DiTModel, "transformer", torch.bfloat16)
        denoiser = Denoiser(transformer, packed=True, native=native)
        velocity = denoiser.velocity(latents, 0, denoiser.condition(text, duration, torch.tensor([LEVEL]), None))
        vae = network(AutoencoderSAME, "vae", torch.bfloat16)
        return velocity, Autoencoder(vae, CPU, torch.bfloat16, native).decode(sounding)

    exact = stock(torch.float32)
    makers: dict[str, Callable[[], tuple[torch.Tensor, torch.Tensor]]] = {
        "diffusers": lambda: stock(torch.bfloat16),
        "packed layers": lambda: ours(None),
    }
    native = choose_layers("auto", CPU, torch.bfloat16)
    if native is not None:
        makers["native layers"] = lambda: ours(native)
    rows = []
    for what, make in makers.items():
        errors = [
            float((made.float() - right).norm() / right.norm()) for made, right in zip(make(), exact, strict=True)
        ]
        rows.append({"what": what, "velocity": errors[0], "sound": errors[1]})
    measure.report("stable-audio-error", rows)


if __name__ == "__main__":
    main()
