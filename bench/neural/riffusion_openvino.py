"""Riffusion's UNet by OpenVINO, in bfloat16 and in 8 bits, beside torch's in bfloat16: seconds and error.

``python -m bench.neural.riffusion_openvino --checkpoint DIR``; without one, full-size random weights are made.
Errors are relative L2 of the noise that is predicted against float32, for a guided step, loop open. The 8-bit form is
kept where models lie (``LULLWAVE_MODELS_DIR``); making it takes minutes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from ..measure import alternate, median, peak_rss_mb, pin, report, wait_until_quiet

WORDS = "rainy night piano", ""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    pin(2)
    with tempfile.TemporaryDirectory(prefix="lullwave-bench-") as made:
        from lullwave.engines.riffusion.model.random_checkpoint import make_random

        checkpoint = given.checkpoint or make_random(Path(made) / "full", "full")
        report("riffusion openvino", measure(checkpoint, given.repeats), peak_rss_mb=peak_rss_mb())


def measure(checkpoint: Path, repeats: int) -> list[dict[str, Any]]:
    """A row for each network."""
    import torch

    from lullwave.engines.riffusion.engine import RiffusionEngine

    torch.set_num_threads(2)
    generator = torch.Generator().manual_seed(1)
    shown, level = torch.randn(2, 4, 64, 64, generator=generator), torch.tensor(500.0)
    found: dict[str, Any] = {}
    text: Any = None

    def noise(unet: Any, dtype: Any) -> Any:
        with torch.inference_mode():
            return unet(shown.to(dtype), level, encoder_hidden_states=text.to(dtype)).sample.float()

    kinds: dict[str, dict[str, Any]] = {
        "torch, bfloat16": {"dtype": "bfloat16"},
        "OpenVINO, bfloat16": {"dtype": "bfloat16", "compiled": True},
        "OpenVINO, 8 bits": {"dtype": "int8"},
    }
    exact: Any = None
    for name, how in {"torch, float32": {"dtype": "float32"}, **kinds}.items():
        engine = RiffusionEngine(checkpoint=str(checkpoint), device="cpu", **how)
        weights = engine.pipeline._weights
        if exact is None:
            words = weights.tokenizer(list(WORDS), padding="max_length", truncation=True, return_tensors="pt")
            with torch.inference_mode():
                text = weights.text_encoder(words.input_ids).last_hidden_state
            exact = noise(weights.unet, torch.float32)
        else:
            found[name] = (weights.unet, weights.dtype)
        engine.close()
    wait_until_quiet()
    seconds = alternate({name: lambda one=one: noise(*one) for name, one in found.items()}, repeats)  # type: ignore[misc]
    first = median(seconds["torch, bfloat16"])
    return [
        {
            "UNet": name,
            "seconds a guided step": median(taken),
            "times torch": first / median(taken),
            "relative error": float((noise(*found[name]) - exact).norm() / exact.norm()),
        }
        for name, taken in seconds.items()
    ]


if __name__ == "__main__":
    main()
