"""A checkpoint as one file, under the names of the original Stable Diffusion code (CompVis/stable-diffusion)."""

import re

import torch

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE = {"conv_shortcut": "nin_shortcut", "conv_norm_out": "norm_out", "mid_block.attentions.0": "mid.attn_1"}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def ldm_state(unet, vae, text_encoder) -> dict[str, torch.Tensor]:
    """All tensors of the three networks of diffusers, renamed."""
    state = {"model.diffusion_model." + _unet(name, unet): t for name, t in unet.state_dict().items()}
    for name, tensor in vae.state_dict().items():
        renamed = _vae(name)
        square = "attn_1" in renamed and "norm" not in renamed and tensor.ndim == 2
        state["first_stage_model." + renamed] = tensor[:, :, None, None] if square else tensor
    for name, tensor in text_encoder.state_dict().items():
        state["cond_stage_model.transformer.text_model." + name.removeprefix("text_model.")] = tensor
    return {name: tensor.contiguous() for name, tensor in state.items()}


def _unet(name: str, unet) -> str:
    for new, old in UNET.items():
        if name.startswith(new + "."):
            return old + name.removeprefix(new)
    layers = unet.config.layers_per_block
    if found := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name):
        at = 1 if found[1] == "attentions" else 2 * int(found[2])
        return f"middle_block.{at}.{_resnet(found[3]) if found[1] == 'resnets' else found[3]}"
    found = re.match(r"(down|up)_blocks\.(\d)\.(resnets|attentions|downsamplers|upsamplers)\.(\d)\.(.*)", name)
    way, block, kind, layer, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    if kind == "downsamplers":
        return f"input_blocks.{(layers + 1) * (block + 1)}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        at = 2 if len(getattr(unet.up_blocks[block], "attentions", ())) else 1
        return f"output_blocks.{(layers + 1) * block + layers}.{at}.{rest}"
    at = (layers + 1) * block + layer + (way == "down")
    side = "input_blocks" if way == "down" else "output_blocks"
    return f"{side}.{at}.{'0.' + _resnet(rest) if kind == 'resnets' else '1.' + rest}"


def _resnet(rest: str) -> str:
    part, _, last = rest.rpartition(".")
    return f"{RESNET[part]}.{last}"


def _vae(name: str) -> str:
    for new, old in VAE.items():
        name = name.replace(new, old)
    if "attn_1" in name:
        for new, old in VAE_ATTENTION.items():
            name = name.replace(f"attn_1.{new}", f"attn_1.{old}")
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up.{3 - int(m[1])}.block.{m[2]}", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    return re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample", name)
