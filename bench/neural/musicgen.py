"""MusicGen against ``transformers`` on a full-size random checkpoint: steps, songs at once, codec, whole clips, memory,
a core taken by another process.

Run as ``make bench-musicgen``; ``ARGS="--model facebook/musicgen-medium --parts steps,songs"`` chooses. On a CPU every
figure is for two cores. On a GPU the comparison is ``transformers`` in the same precision. The parts stand in one
module because they share the checkpoint, the peers and the read of the memory's limit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .. import measure
from .musicgen_error import KEPT, measure_error

THREADS = 2
STEPS = 10  # per timing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="facebook/musicgen-small", help="a published shape, random weights")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint that is there already")
    parser.add_argument("--parts", default="steps,songs,shared,codec,clip,error")
    parser.add_argument(
        "--backends",
        default="native,native+int4,native+kv16,torch",
        help="kernels of Lullwave on a CPU, for the parts steps and error; +int4: weights in 4 bits; +kv16, +kv8, "
        "+kv4: keys and values in 16, 8 or 4 bits; without one, what kv_dtype=auto chooses",
    )
    parser.add_argument("--peers", default="fp32,bf16,int8", help="kinds of transformers, for the part steps on a CPU")
    parser.add_argument("--seconds", default="10,30", help="lengths of clips, for the part clip")
    parser.add_argument("--contexts", default="250,500,1450", help="steps in the cache, for the parts steps and songs")
    parser.add_argument("--dtype", default="auto", help="precision of the weights, for the part clip")
    parser.add_argument("--clip", action="store_true", help=argparse.SUPPRESS)  # internal: measure memory
    chosen = parser.parse_args()
    measure.pin(THREADS)
    if chosen.clip:
        _clip(chosen.checkpoint, [float(length) for length in chosen.seconds.split(",")], chosen.dtype)
        return
    with tempfile.TemporaryDirectory() as scratch:
        directory = chosen.checkpoint
        if directory is None:
            from lullwave.engines.musicgen.model.random_checkpoint import write_random

            directory = write_random(chosen.model, Path(scratch) / "checkpoint")
        for part in chosen.parts.split(","):
            measure.wait_until_quiet()
            if part == "steps":
                contexts = [int(context) for context in chosen.contexts.split(",")]
                _steps(directory, contexts, chosen.backends.split(","), chosen.peers.split(","))
            elif part == "songs":
                _songs(directory, [int(context) for context in chosen.contexts.split(",")])
            elif part == "clip":
                _end_to_end(directory, chosen.seconds, chosen.dtype)
            elif part == "error":
                measure_error(directory, chosen.backends.split(","))
            else:
                _PARTS[part](directory)


def _steps(directory: Path, contexts: Sequence[int], backends: Sequence[str], kinds: Sequence[str]) -> None:
    """Steps per second of one song with guidance; ours and the peers take turns.

    The limit of a backend is what two threads reach that read its weights, and do nothing else, in the same turns.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    ours = {
        f"lullwave {name}": _Ours(directory, 1, name) for name in (backends if device == "cpu" else ["auto", "torch"])
    }
    peers = _peers(directory, device, kinds)
    print("loaded " + ", ".join([*ours, *peers]))
    rows = []
    with torch.inference_mode():
        bandwidth = _bandwidth(device)
        for context in contexts:
            jobs: dict[str, Callable[[], object]] = {n: lambda o=o, c=context: o.steps(c) for n, o in ours.items()}
            jobs.update({f"{name} read": one.read for name, one in ours.items() if one.reads_weights})
            jobs.update({name: peer(context) for name, peer in peers.items()})
            seconds = measure.alternate(jobs)
            rates = {name: STEPS / measure.median(times) for name, times in seconds.items()}
            for name, one in ours.items():
                limit = rates.get(f"{name} read", bandwidth / one.decoder.weight_bytes)
                row = {"context": context, "backend": name, "steps/s": rates[name], "limit/s": limit}
                row["share of the limit"] = rates[name] / limit
                rows.append({**row, **{f"x {peer}": rates[name] / rates[peer] for peer in peers}})
            print(f"context {context}: " + ", ".join(f"{name} {rate:.2f}/s" for name, rate in rates.items()))
    dtypes = {name: str(one.decoder.dtype) for name, one in ours.items()}
    measure.report("musicgen steps", rows, bandwidth_gb_s=bandwidth / 1e9, dtypes=dtypes, rows_per_song=2)


def _shared(directory: Path) -> None:
    """Steps per second at 250 while another process keeps one of the two cores busy, against those without it."""
    import torch

    ours = _Ours(directory, songs=1)
    rates = {}
    with torch.inference_mode():
        for name, command in (("alone", None), ("with another process", "while True: pass")):
            other = subprocess.Popen([sys.executable, "-c", command]) if command else None
            try:
                rates[name] = STEPS / measure.median(measure.alternate({"x": lambda: ours.steps(250)}, 9)["x"])
            finally:
                if other is not None:
                    other.kill()
                    other.wait()
    share = rates["with another process"] / rates["alone"]
    measure.report("musicgen shared", [{**{f"{name} steps/s": rate for name, rate in rates.items()}, "share": share}])


def _songs(directory: Path, contexts: Sequence[int]) -> None:
    """Steps per second of 1, 2 and 4 songs at once (more on a GPU)."""
    import torch

    counts = (1, 2, 4) if not torch.cuda.is_available() else (1, 8, 32, 64)
    ours = _Ours(directory, songs=max(counts))
    rows = []
    with torch.inference_mode():
        for context in contexts:
            for count in counts:
                seconds = measure.median(measure.alternate({"x": lambda n=count, c=context: ours.steps(c, n)})["x"])
                each = STEPS / seconds
                rows.append({"context": context, "songs": count, "steps/s each": each, "steps/s in all": each * count})
    measure.report("musicgen songs", rows, dtype=str(ours.decoder.dtype))


def _codec(directory: Path) -> None:
    """Seconds that the codec needs per second of audio: ours in chunks of half a second, the peer's in one call.

    The error is of samples against the peer's, relative L2; on a CPU the recurrent weights of ours have 8 bits.
    """
    import torch
    import transformers

    from lullwave.engines.musicgen.engine import _sound_dtype
    from lullwave.engines.musicgen.model.codec import CodecDecoder
    from lullwave.engines.musicgen.model.native_codec import NativeLayers
    from lullwave.engines.musicgen.model.weights import Weights
    from lullwave.engines.native_package import find_native

    config = transformers.AutoConfig.from_pretrained(directory).audio_encoder
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype, weights, module = _sound_dtype(torch.int8, device), Weights(directory), find_native().module
    codecs = {"lullwave torch": CodecDecoder(weights, config, device, dtype, compact=device.type == "cpu")}
    if module is not None and device.type == "cpu":
        layers = NativeLayers(module, THREADS)
        codecs["lullwave native"] = CodecDecoder(weights, config, device, torch.float32, layers=layers)
    peer = _reference(directory).audio_encoder.to(device)
    codes = torch.randint(0, 2048, (1, config.num_quantizers, 525), device=device)

    def streamed(codec: CodecDecoder) -> torch.Tensor:
        state: Any = ()
        parts = []
        for at in range(0, 525, 25):
            samples, state = codec(codes[:, :, at : at + 25], state, at == 500)
            parts.append(samples.cpu())
        return torch.cat(parts, 1)

    def whole() -> torch.Tensor:
        found: torch.Tensor = peer.decode(codes[None], [None]).audio_values.cpu()[:, 0]
        return found

    jobs: dict[str, Callable[[], torch.Tensor]] = {
        name: lambda codec=codec: streamed(codec) for name, codec in codecs.items()
    }
    with torch.inference_mode():
        expected = whole()
        seconds = measure.alternate({**jobs, "transformers": whole})
        errors = {name: float((job() - expected).norm() / expected.norm()) for name, job in jobs.items()}
    rows = [
        {"codec": name, "s per s": measure.median(times) / 10.5, "relative error": errors.get(name, 0.0)}
        for name, times in seconds.items()
    ]
    measure.report("musicgen codec", rows)


def _end_to_end(directory: Path, seconds: str, dtype: str) -> None:
    """Clips through the public interface, in a separate process: speed, memory, and load at rest."""
    command = [sys.executable, "-m", "bench.neural.musicgen", "--clip", "--checkpoint", str(directory)]
    done = subprocess.run([*command, "--seconds", seconds, "--dtype", dtype], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    row = json.loads(done.stdout.splitlines()[-1])
    measure.report("musicgen clip", row.pop("clips"), dtype=dtype, **row)


def _clip(directory: Path, lengths: Sequence[float], dtype: str) -> None:
    from lullwave.engines import load_engine
    from lullwave.request import Request

    began = time.perf_counter()
    engine: Any = load_engine("musicgen", model=str(directory), threads=THREADS, dtype=dtype)
    row: dict[str, Any] = {"load_s": time.perf_counter() - began, "load_peak_mb": measure.peak_rss_mb()}
    row["loaded_mb"] = measure.rss_mb()
    clips = []
    for length in lengths:
        firsts, factors = [], []
        for seed in range(6):  # the first one warms up
            began = time.perf_counter()
            with engine.stream(Request("warm lo-fi beat with mellow piano", seed=seed, duration_s=length)) as stream:
                stream.read(1)
                firsts.append(time.perf_counter() - began)
                stream.read(10**9)
            factors.append(length / (time.perf_counter() - began))
        first, factor = measure.median(firsts[1:]), measure.median(factors[1:])
        clips.append({"seconds": length, "first sound s": first, "real-time factor": factor})
    row["playing_mb"], row["peak_mb"] = measure.rss_mb(), measure.peak_rss_mb()
    time.sleep(3)  # until the thread of the model has ended
    busy, began = time.process_time(), time.perf_counter()
    time.sleep(5)
    row["idle_cpu_share"] = (time.process_time() - busy) / (time.perf_counter() - began)
    engine.close()
    print(json.dumps({**row, "clips": clips}))


class _Ours:
    """Our decoder with its stepper; songs can start at any context length without generating what precedes it."""

    def __init__(self, directory: Path, songs: int, backend: str = "auto") -> None:
        import torch

        from lullwave.engines.musicgen.engine import MusicGenEngine

        torch.set_num_threads(THREADS)
        kernels, *kinds = backend.split("+")
        self._engine = MusicGenEngine(
            model=str(directory),
            max_songs=songs,
            backend=kernels,
            dtype="int4" if "int4" in kinds else "auto",
            kv_dtype=next((KEPT[kind] for kind in kinds if kind in KEPT), "auto"),
            threads=THREADS,
        )
        self.decoder, self.cache = self._engine.decoder, self._engine._cache
        self.stepper = self._engine.scheduler._stepper
        with torch.inference_mode():
            for layer in range(self.decoder.config.layers):
                past = torch.randn(self.decoder.config.head_size, device=self.cache.keys.device)
                shape = (*self.cache.keys[layer, :songs].shape[:-1], len(past))
                self.cache.layer(layer).put((slice(songs),), past.expand(shape), past.expand(shape))
            self._prompt_kv = self.decoder.prompt_kv(torch.randn(12, self.decoder.config.hidden))

    @property
    def reads_weights(self) -> bool:
        return hasattr(self.decoder, "read_weights")

    def read(self) -> None:
        """Read the weights of ``STEPS`` steps."""
        for _ in range(STEPS):
            self.decoder.read_weights()

    def steps(self, context: int, songs: int = 1) -> None:
        import torch

        from lullwave.engines.musicgen.model.attention import StepInput
        from lullwave.engines.musicgen.sampling import Sampling, uniforms
        from lullwave.engines.musicgen.stepper import StepJob

        tokens = torch.zeros(songs, self.decoder.config.codebooks, dtype=torch.long)
        torch.set_num_threads(1 if self.reads_weights else THREADS)  # as the engine's thread does
        for step in range(context, context + STEPS):
            jobs = [
                StepJob(
                    StepInput(song, step, tokens[song], (self._prompt_kv, None)),
                    (),
                    Sampling(3.0, 1.0, 250, 1.0),
                    uniforms(song, step, tokens.shape[1]),
                )
                for song in range(songs)
            ]
            tokens = self.stepper.run(jobs)
        torch.set_num_threads(THREADS)


def _reference(directory: Path) -> Any:
    import transformers

    from lullwave.engines.musicgen.model.weights import quiet_transformers

    with quiet_transformers():
        return transformers.MusicgenForConditionalGeneration.from_pretrained(directory).eval()


def _peers(directory: Path, device: str, kinds: Sequence[str]) -> dict[str, Callable[[int], Callable[[], None]]]:
    import copy
    import warnings

    import torch

    reference = _reference(directory)
    models = {}
    if "bf16" in kinds or device != "cpu":
        models["transformers bf16"] = copy.deepcopy(reference.decoder).to(device, torch.bfloat16)
    if device == "cpu" and "int8" in kinds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantize: Any = torch.ao.quantization.quantize_dynamic
            models["transformers int8"] = quantize(copy.deepcopy(reference.decoder), {torch.nn.Linear}, torch.qint8)
    if device == "cpu" and "fp32" in kinds:
        models["transformers fp32"] = reference.decoder
    return {name: _peer(model, device) for name, model in models.items()}


def _peer(model: Any, device: str) -> Callable[[int], Callable[[], None]]:
    """Steps of the library's decoder with guidance: two rows, its own growing cache, a draw from the top 250."""
    import torch
    from transformers.cache_utils import DynamicCache, EncoderDecoderCache

    config = model.config
    dtype = torch.bfloat16 if next(model.parameters(), torch.zeros(0)).dtype == torch.bfloat16 else torch.float32
    size = (2, config.num_attention_heads, 0, config.hidden_size // config.num_attention_heads)
    states = torch.randn(2, 12, config.hidden_size, dtype=dtype, device=device)
    mask = torch.ones(2, 12, dtype=torch.long, device=device)
    mask[1] = 0

    def at(context: int) -> Callable[[], None]:
        cache = EncoderDecoderCache(DynamicCache(config=config), DynamicCache(config=config))
        past = torch.randn(size[0], size[1], context, size[3], device=device).to(dtype)
        for layer in range(config.num_hidden_layers):
            cache.self_attention_cache.update(past, past.clone(), layer)
        return lambda: steps(cache)

    def steps(cache: Any) -> None:
        tokens = torch.zeros(2 * config.num_codebooks, 1, dtype=torch.long, device=device)
        for _ in range(STEPS):
            out = model(
                input_ids=tokens, encoder_hidden_states=states, encoder_attention_mask=mask, past_key_values=cache
            )
            wanted, other = out.logits[:, -1].float().chunk(2)
            likeliest = (other + 3.0 * (wanted - other)).topk(250)
            drawn = torch.multinomial(likeliest.values.softmax(-1), 1)
            tokens = likeliest.indices.gather(-1, drawn).repeat(2, 1)
        tokens.cpu()
        cache.self_attention_cache.crop(-STEPS)

    return at


def _bandwidth(device: str) -> float:
    """Memory bandwidth for reading, in bytes per second, by a sum over 1 GB."""
    import torch

    data = torch.ones(1 << 28, device=device)

    def read() -> None:
        float(data.sum())

    return 4.0 * (1 << 28) / measure.median(measure.alternate({"read": read})["read"])


_PARTS: dict[str, Callable[[Path], None]] = {
    "shared": _shared,
    "codec": _codec,
}

if __name__ == "__main__":
    main()
