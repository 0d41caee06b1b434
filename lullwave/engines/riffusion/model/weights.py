"""Loads and checks a Stable Diffusion 1.x checkpoint: a directory in diffusers format, or one file."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ....device import check_fits
from ....errors import CheckpointError
from ...networks import check_networks_fit, load_network, parameters
from .checkpoint_files import NETWORKS, check_parts
from .circular_padding import LoopSwitch, make_loopable
from .single_file import load_parts

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Weights:
    """The networks of a checkpoint on one device."""

    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any
    device: torch.device
    dtype: torch.dtype  # of the UNet
    vae_dtype: torch.dtype
    memory_format: torch.memory_format
    loop: LoopSwitch
    directory: Path | None  # with the configurations, and perhaps seed images; None: they came from the hub
    files: tuple[Path, ...]  # of the UNet


def load(
    path: Path,
    device: torch.device,
    dtype: torch.dtype,
    compiled: bool = False,
    offline: bool = False,
) -> Weights:
    """Load a directory or a single file. The text encoder stays in float32: it runs once per prompt.

    Raises:
        CheckpointError: a part is missing or damaged, or it is another architecture.
        EngineError: it does not fit into the memory of the device.
    """
    import diffusers
    import transformers

    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()
    check_memory(path, device, dtype)
    if path.is_file():
        parts, directory = load_parts(path, dtype, offline)
        files: tuple[Path, ...] = (path,)
    else:
        parts, directory, files = _load_parts(path, dtype), path, tuple((path / "unet").iterdir())
    unet, vae, text_encoder = parts["unet"], parts["vae"], parts["text_encoder"]
    _check(path, unet, vae, text_encoder)

    loop = LoopSwitch()
    memory_format = torch.contiguous_format if device.type == "mps" else torch.channels_last
    for network in (unet, vae):
        make_loopable(network, loop)
        network.to(device, memory_format=memory_format)
    text_encoder.to(device)
    for network in (unet, vae, text_encoder):
        network.requires_grad_(False)
        network.eval()
    if compiled:
        unet.compile()
    log.info("loaded %s on %s in %s", path, device, str(dtype).removeprefix("torch."))
    rest = {"tokenizer": parts["tokenizer"], "scheduler": parts["scheduler"], "directory": directory, "files": files}
    return Weights(
        unet,
        vae,
        text_encoder,
        device=device,
        dtype=dtype,
        vae_dtype=dtype,
        memory_format=memory_format,
        loop=loop,
        **rest,
    )


def check_memory(path: Path, device: torch.device, dtype: torch.dtype) -> None:
    """Check that a checkpoint fits into the memory of a device, before it is loaded.

    What a ``.ckpt`` file holds is known only once it is read: it is not checked.

    Raises:
        EngineError: it does not fit; the message tells the sizes.
        CheckpointError: a part is missing.
    """
    if path.is_dir():
        check_parts(path)
        rest = {path / part: dtype.itemsize for part in NETWORKS if part != "text_encoder"}
        check_networks_fit(str(path), {path / "text_encoder": torch.float32.itemsize, **rest}, device)
    elif path.suffix == ".safetensors":
        check_fits(str(path), path.stat().st_size, parameters(path) * dtype.itemsize, device)


def _load_parts(directory: Path, dtype: torch.dtype) -> dict[str, Any]:
    """Load a directory in diffusers format; the parts by their names."""
    import diffusers
    import transformers

    try:
        scheduler_class = _scheduler_class(directory / "scheduler")
        return {
            "tokenizer": transformers.CLIPTokenizer.from_pretrained(directory / "tokenizer"),
            "scheduler": scheduler_class.from_pretrained(directory / "scheduler"),
            "text_encoder": load_network(transformers.CLIPTextModel, directory / "text_encoder", torch.float32),
            "unet": load_network(diffusers.UNet2DConditionModel, directory / "unet", dtype),
            "vae": load_network(diffusers.AutoencoderKL, directory / "vae", dtype),
        }
    except CheckpointError:
        raise
    except Exception as error:  # the libraries raise errors of all kinds for a damaged file
        raise CheckpointError(f"{directory} cannot be loaded: {error}") from error


def _scheduler_class(directory: Path) -> Any:
    import diffusers

    file = directory / "scheduler_config.json"
    name = json.loads(file.read_text()).get("_class_name", "") if file.is_file() else ""
    found = getattr(diffusers, name, None) if name.endswith("Scheduler") else None
    if found is None:
        raise CheckpointError(f"{file} names no scheduler of diffusers: {name!r}")
    return found


def _check(directory: Path, unet: Any, vae: Any, text_encoder: Any) -> None:
    config = unet.config
    width = text_encoder.config.hidden_size
    wrong = []
    if (config.in_channels, config.out_channels) != (4, 4):
        wrong.append(f"the UNet has {config.in_channels} channels in and {config.out_channels} out, not 4 and 4")
    if config.cross_attention_dim != width:
        wrong.append(f"the UNet expects text of width {config.cross_attention_dim}, the text encoder gives {width}")
    if config.addition_embed_type is not None:
        wrong.append("the UNet is that of Stable Diffusion XL")
    if vae.config.latent_channels != 4 or len(vae.config.block_out_channels) != 4:
        levels = len(vae.config.block_out_channels)
        wrong.append(f"the VAE has {vae.config.latent_channels} latent channels and {levels} levels, not 4 and 4")
    if wrong:
        raise CheckpointError(f"{directory} is not a Stable Diffusion 1.x checkpoint: " + "; ".join(wrong))
