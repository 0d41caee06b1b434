"""The error of MusicGen's logits in 8 and in 4 bits against float32, with keys and values as kv_dtype=auto has them
unless a backend names other ones: +kv16, +kv8, +kv4."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import measure

KEPT = {"kv16": "float", "kv8": "int8", "kv4": "int4"}  # load options kv_dtype by their names here


def measure_error(directory: Path, backends: Sequence[str]) -> None:
    """Relative L2 error of quantized logits over 200 teacher-forced steps, for two kinds of weights."""
    import torch

    from lullwave.engines.musicgen.engine import _kept
    from lullwave.engines.musicgen.model.attention import StepDecoder, StepInput
    from lullwave.engines.musicgen.model.config import ModelConfig
    from lullwave.engines.musicgen.model.decoder import Decoder
    from lullwave.engines.musicgen.model.grouped_int4 import FOUR_BITS
    from lullwave.engines.musicgen.model.kv_cache import KVCache
    from lullwave.engines.musicgen.model.native_decoder import NativeDecoder
    from lullwave.engines.musicgen.options import LoadOptions
    from lullwave.engines.native_package import find_native

    module: Any = find_native().module
    config, cpu = ModelConfig.read(directory), torch.device("cpu")
    rows = []
    torch.manual_seed(0)
    tokens = torch.randint(0, config.vocabulary, (200, config.codebooks))
    states = torch.randn(12, config.hidden)
    for kind in ("gaussian", "student-t, 6 loud inputs"):
        weights: Any = _Drawn(directory, heavy=kind != "gaussian")
        logits = []
        for backend in ("float32", *backends):
            name, *parts = backend.split("+")
            if name == "native" and module is None:
                continue
            with torch.inference_mode():
                decoder: StepDecoder
                if name == "native":
                    four_bits = FOUR_BITS if "int4" in parts else frozenset()
                    decoder = NativeDecoder(module, config, weights, four_bits=four_bits)
                else:
                    decoder = Decoder(config, weights, cpu, torch.float32 if backend == "float32" else torch.int8)
                option = next((KEPT[part] for part in parts if part in KEPT), "auto")
                chosen = LoadOptions(dtype="int4" if "int4" in parts else "auto", kv_dtype=option)
                kept = _kept(chosen, name == "native") or decoder.cache_dtype
                cache = KVCache(config, 1, 208, kept, cpu)
                prompt_kv = decoder.prompt_kv(states)
                logits.append(decoder.step(cache, [StepInput(0, p, tokens[p], (prompt_kv, None)) for p in range(200)]))
            del decoder
            if backend != "float32":
                error = float((logits[-1] - logits[0]).norm() / logits[0].norm())
                rows.append({"weights": kind, "backend": backend, "relative error": error})
    measure.report("musicgen error", rows)


class _Drawn:
    """A checkpoint with new random weights: Gaussian, or Student-t (3) with six inputs 20 times as loud."""

    def __init__(self, directory: Path, heavy: bool) -> None:
        from lullwave.engines.musicgen.model.weights import Weights

        self._weights, self._heavy = Weights(directory), heavy
        self.close = self._weights.close

    def get(self, name: str, shape: Any = None) -> Any:
        import torch

        found = self._weights.get(name, shape)
        if found.dim() != 2 or "embed" in name:
            return found
        generator = torch.Generator().manual_seed(sum(name.encode()) * 31 + len(name))
        drawn = torch.randn(found.shape, generator=generator)
        if self._heavy:
            squares = sum(torch.randn(found.shape, generator=generator) ** 2 for _ in range(3))
            drawn = drawn / (squares / 3).sqrt() / 3**0.5
            drawn[:, torch.randperm(found.shape[1], generator=generator)[:6]] *= 20
        return drawn * 0.02
