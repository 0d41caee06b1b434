"""Riffusion on this machine: a full-size checkpoint of random weights beside diffusers' own pipeline in one process.

``python -m bench.neural.riffusion [--checkpoint DIR] [--part steps|vae|batch]``; without a checkpoint one of 4.3 GB is
made and deleted afterwards. Times of whole clips are sums of measured parts, and the table says so.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from ..measure import alternate, median, peak_rss_mb, pin, report, wait_until_quiet

PARTS = ("steps", "vae", "batch")
REPAINTED = 0.75  # the strength of whole clips
LATENT = (4, 64, 64)


def main() -> None:
    """Measure what is asked for and print one table."""
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    ask.add_argument("--checkpoint", type=Path)
    ask.add_argument("--part", choices=PARTS, action="append")
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--repeats", type=int, default=5)
    given = ask.parse_args()
    pin(given.threads)
    import torch

    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory(prefix="lullwave-bench-") as made:
        from lullwave.engines.riffusion.model.random_checkpoint import make_random

        checkpoint = given.checkpoint or make_random(Path(made) / "full", "full")
        measure(checkpoint, given.part or PARTS, given.repeats, torch)


def measure(checkpoint: Path, parts: tuple[str, ...] | list[str], repeats: int, torch: Any) -> None:
    """Load both pipelines and run the parts."""
    from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline

    from lullwave.device import choose_dtype
    from lullwave.engines.riffusion.clip_options import DenoisingConfig
    from lullwave.engines.riffusion.model.weights import load
    from lullwave.engines.riffusion.pipeline import ImageRequest, Pipeline
    from lullwave.engines.riffusion.sampler import SeedPair

    cpu = torch.device("cpu")
    dtype = choose_dtype("auto", cpu)
    ours = Pipeline(load(checkpoint, cpu, dtype))
    facts: dict[str, Any] = {"dtype": str(dtype).removeprefix("torch."), "torch": torch.__version__}
    rows: list[dict[str, Any]] = []
    load_before = wait_until_quiet()
    torch.manual_seed(0)
    text = torch.randn(1, 77, 768)

    def request(alpha: float = 0.5, guidance: float = 7.0) -> Any:
        return ImageRequest(SeedPair(1, 2, alpha), 1.0, guidance, text[0], text[0] * 0.5)

    def one_step(guidance: float) -> None:
        ours.latents([request(guidance=guidance)], DenoisingConfig(1, "ddim"))

    if "steps" in parts:
        stock = StableDiffusionImg2ImgPipeline.from_pretrained(checkpoint, local_files_only=True)
        stock.scheduler = DDIMScheduler.from_config(stock.scheduler.config, clip_sample=False)
        stock.set_progress_bar_config(disable=True)
        latents = torch.randn(1, *LATENT)

        def stock_step() -> None:
            stock(
                prompt_embeds=text,
                negative_prompt_embeds=text * 0.5,
                image=latents,
                strength=1.0,
                num_inference_steps=1,
                guidance_scale=7.0,
                output_type="latent",
            )

        timed = alternate(
            {"stock": stock_step, "guided": lambda: one_step(7.0), "unguided": lambda: one_step(1.0)}, repeats
        )
        base = median(timed["stock"])
        for name, label in (
            ("stock", "diffusers img2img, fp32, one guided step"),
            ("guided", f"Lullwave, {facts['dtype']}, one guided step"),
            ("unguided", f"Lullwave, {facts['dtype']}, one step without guidance"),
        ):
            rows.append({"what": label, "seconds": median(timed[name]), "of stock": median(timed[name]) / base})
        del stock

    if "vae" in parts:
        image = _picture()
        sample = torch.randn(*LATENT)
        sound = _sound()
        jobs = {"decode": lambda: ours.decode(sample), "encode": lambda: ours.encode(image)}
        timed = alternate(jobs, repeats)
        for name, label in (
            ("decode", "VAE decode of a clip"),
            ("encode", "VAE encode of a seed image (once an image)"),
        ):
            rows.append({"what": label, "seconds": median(timed[name])})
        timed = alternate({"audio": lambda: sound.audio(image)}, repeats)
        rows.append({"what": "image to sound", "seconds": median(timed["audio"])})

    if "batch" in parts:
        alphas = (0.0, 0.25, 0.5, 0.75, 1.0)
        timed = alternate(
            {
                "calls": lambda: [ours.latents([request(alpha)], DenoisingConfig(1, "ddim")) for alpha in alphas],
                "batch": lambda: ours.latents([request(alpha) for alpha in alphas], DenoisingConfig(1, "ddim")),
            },
            min(repeats, 2),
            warm_up=0,
        )
        calls, batch = median(timed["calls"]), median(timed["batch"])
        rows.append({"what": "5 alphas, one guided step, 5 calls", "seconds": calls})
        rows.append({"what": "5 alphas, one guided step, one batch", "seconds": batch, "of calls": batch / calls})

    found = {row["what"]: row["seconds"] for row in rows}
    if {"steps", "vae"} <= set(parts):
        guided, unguided = (
            found[f"Lullwave, {facts['dtype']}, one {what}"] for what in ("guided step", "step without guidance")
        )
        decode, audio = found["VAE decode of a clip"], found["image to sound"]
        long = int(50 * REPAINTED) * guided + decode + audio
        for label, seconds in (
            ("clip of 50 steps, strength 0.75 (sum of parts)", long),
            ("clip of 20 steps of DPM++ (sum of parts)", int(20 * REPAINTED) * guided + decode + audio),
            ("clip of 4 steps of LCM (sum of parts)", 4 * unguided + decode + audio),
        ):
            rows.append(
                {"what": label, "seconds": seconds, "faster than 50": long / seconds, "real time": 5.12 / seconds}
            )
        facts["audio_share_of_50_steps"] = audio / long
    report("riffusion", rows, other_load=load_before, repeats=repeats, peak_rss_mb=peak_rss_mb(), **facts)


def _sound() -> Any:
    from lullwave.engines.riffusion.spectrogram_converter import SpectrogramConverter

    return SpectrogramConverter()


def _picture() -> Any:
    from lullwave.engines.riffusion.seed_images import SeedImages

    return SeedImages()("og_beat")


if __name__ == "__main__":
    main()
