"""The old Riffusion, step by step and slowly; it knows nothing of the engine that is compared with it.

Written from the description of the old pipeline's behaviour on plain parts of diffusers and transformers. One request
at a time, float32 on the CPU, nothing cached. Shapes: B batch, L positions of the text, E its width, H and W pixels.

Two things that the old pipeline could not do, since it crashed on them, are filled in the least surprising way: text of
fewer chunks than its partner is followed by chunks of the empty prompt, and so is the empty prompt that guidance steers
away from. Negative prompts are dropped, as they were.
"""

import json
import re
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from PIL import Image
from transformers import CLIPTextModel, CLIPTokenizer

LATENT_SCALE = 0.18215  # between what the VAE makes and what the UNet sees
LATENT_PIXELS = 8  # one latent stands for so many pixels each way
SIZE_MULTIPLE = 32  # pixels; images are shrunk to a multiple of it
CHUNK_TOKENS = 75  # of a prompt, between the begin and the end token
MOST_CHUNKS = 3
STRONGER = 1.1  # one pair of round brackets; square ones divide by it
NEARLY_PARALLEL = 0.9995  # cosine beyond which noises are interpolated linearly

DENOISING = 0.75
GUIDANCE = 7.0

_MARK = re.compile(
    r"\\(?P<escaped>[()\[\]\\]?)"  # a lone backslash vanishes
    r"|(?P<open>[(\[])"
    r"|:(?P<weight>[+-]?[.\d]+)\)"
    r"|(?P<close>[)\]])"
    r"|(?P<plain>[^\\()\[\]:]+|:)"
)


def run_reference(
    checkpoint: Path,
    request: dict[str, Any],
    seed_image: Image.Image,
    mask_image: Image.Image | None,
) -> tuple[np.ndarray, np.ndarray]:
    """The final latents, float32 (4, H/8, W/8), scaled as the UNet sees them, and the image, uint8 (H, W, 3)."""
    with torch.inference_mode():
        return _run(Path(checkpoint), request, seed_image, mask_image)


def _run(
    checkpoint: Path, request: dict[str, Any], seed_image: Image.Image, mask_image: Image.Image | None
) -> tuple[np.ndarray, np.ndarray]:
    unet = diffusers.UNet2DConditionModel.from_pretrained(checkpoint / "unet").float().eval()
    vae = diffusers.AutoencoderKL.from_pretrained(checkpoint / "vae").float().eval()
    scheduler = _scheduler(checkpoint)

    start, end, alpha = request["start"], request["end"], request["alpha"]
    steps = request.get("num_inference_steps", 50)
    strength = _between(start.get("denoising", DENOISING), end.get("denoising", DENOISING), alpha)
    guidance = _between(start.get("guidance", GUIDANCE), end.get("guidance", GUIDANCE), alpha)

    text = _conditions(checkpoint, start["prompt"], end["prompt"], alpha, guided=guidance > 1)

    # The sample of the VAE and the start noise come of one seed, each by a generator of its own.
    moments = vae.encode(_pixels(seed_image)).latent_dist
    init = LATENT_SCALE * moments.sample(generator=_generator(start["seed"]))
    noise = _slerp(
        torch.randn(init.shape, generator=_generator(start["seed"])),
        torch.randn(init.shape, generator=_generator(end["seed"])),
        alpha,
    )
    repainted = None if mask_image is None else _mask(mask_image, width=init.shape[-1], height=init.shape[-2])

    scheduler.set_timesteps(steps)
    offset = scheduler.config.get("steps_offset", 0)
    init_timestep = min(int(steps * strength) + offset, steps)
    latents = scheduler.add_noise(init, noise, scheduler.timesteps[-init_timestep].reshape(1))

    for timestep in scheduler.timesteps[max(steps - init_timestep + offset, 0) :]:
        seen = scheduler.scale_model_input(latents.expand(len(text), -1, -1, -1), timestep)
        predicted = unet(seen, timestep, encoder_hidden_states=text).sample
        if guidance > 1:
            away, towards = predicted.split(1)
            predicted = away + guidance * (towards - away)
        latents = scheduler.step(predicted, timestep, latents).prev_sample
        if repainted is not None:
            kept = scheduler.add_noise(init, noise, timestep.reshape(1))
            latents = kept * (1 - repainted) + latents * repainted

    decoded = vae.decode(latents / LATENT_SCALE).sample[0]
    picture = (decoded / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()
    return latents[0].numpy(), (picture * 255).round().astype(np.uint8)


def _scheduler(checkpoint: Path) -> Any:
    folder = checkpoint / "scheduler"
    name = json.loads((folder / "scheduler_config.json").read_text())["_class_name"]
    return getattr(diffusers, name).from_pretrained(folder)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)


def _between(start: float, end: float, alpha: float) -> float:
    return (1 - alpha) * start + alpha * end


def _slerp(start: torch.Tensor, end: torch.Tensor, alpha: float) -> torch.Tensor:
    """Along the great circle through both, each tensor being one vector (Shoemake 1985, section 3.3)."""
    cosine = (start * end).sum() / (start.norm() * end.norm())
    if cosine.abs() > NEARLY_PARALLEL:
        return (1 - alpha) * start + alpha * end
    angle = cosine.arccos()
    return (torch.sin((1 - alpha) * angle) * start + torch.sin(alpha * angle) * end) / torch.sin(angle)


def _pixels(image: Image.Image) -> torch.Tensor:
    """What the VAE encodes: (1, 3, H, W) in -1..1."""
    width, height = (side - side % SIZE_MULTIPLE for side in image.size)
    values = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS), dtype=np.float32)
    return torch.from_numpy(values / 255 * 2 - 1).permute(2, 0, 1)[None]


def _mask(image: Image.Image, width: int, height: int) -> torch.Tensor:
    """How much of each latent is repainted: (1, 1, height, width), white 1 and black 0."""
    values = np.asarray(image.convert("L").resize((width, height), Image.Resampling.NEAREST), dtype=np.float32)
    return torch.from_numpy(values / 255)[None, None]


def _conditions(checkpoint: Path, start: str, end: str, alpha: float, guided: bool) -> torch.Tensor:
    """(B, L, E): the interpolated prompt, and before it the empty one if the model is guided."""
    tokenizer = CLIPTokenizer.from_pretrained(checkpoint / "tokenizer")
    encoder = CLIPTextModel.from_pretrained(checkpoint / "text_encoder").float().eval()
    empty = _embedding(tokenizer, encoder, "")
    texts = [_embedding(tokenizer, encoder, prompt) for prompt in (start, end)]
    longest = max(text.shape[1] for text in texts)
    first, last, nothing = (_followed(text, empty, longest) for text in (*texts, empty))
    text = first + alpha * (last - first)
    return torch.cat([nothing, text]) if guided else text


def _followed(text: torch.Tensor, empty: torch.Tensor, positions: int) -> torch.Tensor:
    missing = (positions - text.shape[1]) // empty.shape[1]
    return torch.cat([text, *[empty] * missing], dim=1)


def _embedding(tokenizer: Any, encoder: Any, prompt: str) -> torch.Tensor:
    """(1, L, E), L a multiple of 77: each token's embedding times its weight, the mean of them all as it was."""
    tokens, weights = _weighted_tokens(tokenizer, prompt)
    begin, stop = tokenizer.bos_token_id, tokenizer.eos_token_id
    chunks, factors = [], []
    for first in range(0, max(len(tokens), 1), CHUNK_TOKENS):
        inside = tokens[first : first + CHUNK_TOKENS]
        filler = CHUNK_TOKENS - len(inside) + 1  # the end token, and more of it up to the full length
        chunks.append([begin, *inside, *[stop] * filler])
        factors.extend([1.0, *weights[first : first + CHUNK_TOKENS], *[1.0] * filler])
    embedding = torch.cat([encoder(torch.tensor([chunk]))[0] for chunk in chunks], dim=1)
    if set(factors) == {1.0}:
        return embedding  # its mean is kept as it is, and may be nought
    weighted = embedding * torch.tensor(factors)[None, :, None]
    return weighted * (embedding.mean() / weighted.mean())


def _weighted_tokens(tokenizer: Any, prompt: str) -> tuple[list[int], list[float]]:
    tokens: list[int] = []
    weights: list[float] = []
    for words, weight in weighted_words(prompt):
        found = tokenizer(words).input_ids[1:-1]  # without the begin and end tokens
        tokens.extend(found)
        weights.extend([weight] * len(found))
    most = CHUNK_TOKENS * MOST_CHUNKS
    return tokens[:most], weights[:most]


def weighted_words(prompt: str) -> list[tuple[str, float]]:
    """The prompt without its brackets, in runs of one weight; a bracket that is never closed holds to the end."""
    pieces: list[list[Any]] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}  # where each began, the two kinds apart

    def emphasise(kind: str, factor: float) -> None:
        for piece in pieces[opened[kind].pop() :]:
            piece[1] *= factor

    for mark in _MARK.finditer(prompt):
        if mark["open"]:
            opened[mark["open"]].append(len(pieces))
        elif mark["weight"] and opened["("]:
            emphasise("(", float(mark["weight"]))
        elif mark["close"] == ")" and opened["("]:
            emphasise("(", STRONGER)
        elif mark["close"] == "]" and opened["["]:
            emphasise("[", 1 / STRONGER)
        elif mark["escaped"] is not None:
            pieces.append([mark["escaped"], 1.0])
        else:
            pieces.append([mark[0], 1.0])
    while opened["("]:
        emphasise("(", STRONGER)
    while opened["["]:
        emphasise("[", 1 / STRONGER)

    runs: list[tuple[str, float]] = []
    for words, weight in pieces:
        if runs and runs[-1][1] == weight:
            runs[-1] = (runs[-1][0] + words, weight)
        else:
            runs.append((words, weight))
    return runs
