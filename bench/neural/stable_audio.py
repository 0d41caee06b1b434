"""Stable Audio 3 on this machine: a full-size checkpoint of random weights beside diffusers' own pipeline.

``python -m bench.neural.stable_audio [--checkpoint DIR] [--part clip|pairs|stream|first|busy|borders] [--dtype TYPE]``.
Without a checkpoint one of 3 GB is made and deleted afterwards; without a type, every one that suits the part is
measured. Each part and each pipeline runs in a process of its own, so that peak memory is that of one, and diffusers
runs with PyTorch's own thread policy. In ``pairs`` both processes are loaded and make a clip by turns, for machines
whose speed changes from minute to minute: the ratio of each pair counts. bfloat16 and its figures need a CPU that
multiplies it; the table names the precision of each row.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import measure

PARTS = ("clip", "pairs", "stream", "first", "busy", "borders")
CLIP_S = 30.0
PROMPT = "lo-fi hip hop, warm electric piano, soft drums, 80 bpm"
WINDOWS = ((36.0, 6.0), (24.0, 8.0), (12.0, 12.0))  # seconds of window and context


def main() -> None:
    """Run the parts, one process after the other, and print one table."""
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    ask.add_argument("--checkpoint", type=Path)
    ask.add_argument("--part", choices=PARTS, action="append")
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--repeats", type=int, default=3)
    ask.add_argument("--child", help=argparse.SUPPRESS)  # internal: one part in this process
    ask.add_argument("--by-turns", action="store_true", help=argparse.SUPPRESS)  # internal: a clip for each line read
    ask.add_argument("--dtype", choices=("float32", "bfloat16", "int8"), help="only the engine, in this precision")
    given = ask.parse_args()
    measure.pin(given.threads)
    if given.by_turns:
        _by_turns(_CLIPS[given.child], given.checkpoint, given.dtype)
        return
    if given.child:
        print("ROWS " + json.dumps(_CHILDREN[given.child](given.checkpoint, given.dtype, given.repeats)))
        return
    with tempfile.TemporaryDirectory(prefix="lullwave-bench-") as scratch:
        checkpoint = given.checkpoint or _make(Path(scratch) / "small")
        load = measure.wait_until_quiet()
        rows = []
        for part in given.part or PARTS:
            for child, dtype in _runs(part, given.dtype):
                if part == "pairs":
                    rows += _pairs(dtype, checkpoint, given.threads, given.repeats)
                else:
                    rows += _run(child, dtype, checkpoint, given.threads, given.repeats)
    _compare(rows)
    measure.report("stable-audio", rows, other_load=load, threads=given.threads, repeats=given.repeats)


def _runs(part: str, only: str | None) -> list[tuple[str, str]]:
    """Which children a part has, and their precision; with ``only``, those of the engine in that one."""
    if only:
        return [(part, only)]
    from lullwave.device import choose_device, choose_dtype

    auto = str(choose_dtype("auto", choose_device("cpu"))).removeprefix("torch.")
    dtypes = ["float32"] + (["bfloat16"] if auto == "bfloat16" else [])
    if part == "clip":
        return [*((child, dtype) for dtype in dtypes for child in ("stock", "clip")), ("clip", "int8")]
    if part == "stream":
        return [(part, dtype) for dtype in (*dtypes, "int8")]
    return [(part, "float32" if part == "borders" else auto)]


def _command(child: str, dtype: str, checkpoint: Path, threads: int) -> list[str]:
    command = [sys.executable, "-m", "bench.neural.stable_audio", "--child", child, "--dtype", dtype]
    return [*command, "--checkpoint", str(checkpoint), "--threads", str(threads)]


def _run(child: str, dtype: str, checkpoint: Path, threads: int, repeats: int) -> list[dict[str, Any]]:
    command = [*_command(child, dtype, checkpoint, threads), "--repeats", str(repeats)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    rows = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("ROWS "))[5:])
    return [{"what": row.pop("what"), "dtype": dtype, **row} for row in rows]


def _pairs(dtype: str, checkpoint: Path, threads: int, repeats: int) -> list[dict[str, Any]]:
    """Clips by diffusers, in bfloat16 if the engine is in 8 bits, and by the engine, one after the other."""
    others = "bfloat16" if dtype == "int8" else dtype
    children = [
        subprocess.Popen(
            [*_command(child, type_, checkpoint, threads), "--by-turns"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for child, type_ in (("stock", others), ("clip", dtype))
    ]

    def told(child: subprocess.Popen[str]) -> list[float]:
        assert child.stdout is not None
        return [float(word) for word in next(line for line in child.stdout if line.startswith("TURN")).split()[1:]]

    try:
        rows = []
        for child in children:
            told(child)  # it has loaded and made a first clip
        for turn in range(repeats):
            seconds, peaks = [], []
            for child in children:
                assert child.stdin is not None
                child.stdin.write(f"{turn}\n")
                child.stdin.flush()
                taken, peak = told(child)
                seconds.append(taken)
                peaks.append(peak)
            row = {"what": f"pair {turn + 1}", "dtype": dtype, "diffusers": seconds[0], "seconds": seconds[1]}
            rows.append({**row, "times diffusers": seconds[0] / seconds[1], "peak_mb": peaks[1]})
    finally:
        for child in children:
            child.kill()
            child.wait()
    ratio = measure.median([row["times diffusers"] for row in rows])
    return [*rows, {"what": "median of the pairs", "dtype": dtype, "times diffusers": ratio}]


def _by_turns(clips: Callable[[Path, str], Any], checkpoint: Path, dtype: str) -> None:
    """Make a clip, then one for each line of the standard input, and tell the seconds and the peak memory of each."""
    with clips(checkpoint, dtype) as clip:
        clip(-1)
        print("TURN 0 0", flush=True)
        for line in sys.stdin:
            began = time.perf_counter()
            clip(int(line))
            print(f"TURN {time.perf_counter() - began} {measure.peak_rss_mb()}", flush=True)


def _compare(rows: list[dict[str, Any]]) -> None:
    """Tell how many times faster each clip is than those of diffusers."""
    stock = {row["dtype"]: row["seconds"] for row in rows if row["what"].startswith("diffusers")}
    for row in rows:
        if row["what"].startswith("clip"):
            row |= {f"times stock {dtype}": seconds / row["seconds"] for dtype, seconds in stock.items()}


def _make(directory: Path) -> Path:
    import torch

    from lullwave.engines.stable_audio.model.random_checkpoint import make_random

    return make_random(directory, "small", dtype=torch.bfloat16)


def _engine(checkpoint: Path, dtype: str) -> Any:
    import lullwave

    return lullwave.load_engine("stable-audio", checkpoint=str(checkpoint), device="cpu", dtype=dtype, offline=True)


def _request(seed: int = 0, seconds: float | None = None, **options: float) -> Any:
    import lullwave

    return lullwave.Request(PROMPT, seed, seconds, options)


def _timed(job: Callable[[int], object], repeats: int) -> float:
    """Median seconds of ``job(turn)``, after one turn that warms up."""
    seconds = []
    for turn in range(repeats + 1):
        began = time.perf_counter()
        job(turn)
        seconds.append(time.perf_counter() - began)
    return measure.median(seconds[1:])


@contextmanager
def _stock_clips(checkpoint: Path, dtype: str) -> Iterator[Callable[[int], object]]:
    """What makes the clip of a turn by the pipeline of diffusers."""
    import torch
    from diffusers import StableAudio3Pipeline

    pipeline = StableAudio3Pipeline.from_pretrained(checkpoint, torch_dtype=getattr(torch, dtype))
    pipeline.set_progress_bar_config(disable=True)
    yield lambda turn: pipeline(PROMPT, CLIP_S, generator=torch.Generator().manual_seed(turn + 1))


@contextmanager
def _engine_clips(checkpoint: Path, dtype: str) -> Iterator[Callable[[int], object]]:
    """What makes the same clip by the engine."""
    with _engine(checkpoint, dtype) as engine:

        def clip(turn: int) -> None:
            with engine.stream(_request(turn + 1, CLIP_S)) as stream:
                assert stream.read(round(CLIP_S * stream.rate)).peak_dbfs > -60

        yield clip


def _stock(checkpoint: Path, dtype: str, repeats: int) -> list[dict[str, Any]]:
    with _stock_clips(checkpoint, dtype) as clip:
        return [_clip_row("diffusers, clip of 30 s", _timed(clip, repeats))]


def _clip(checkpoint: Path, dtype: str, repeats: int) -> list[dict[str, Any]]:
    with _engine_clips(checkpoint, dtype) as clip:
        return [_clip_row("clip of 30 s", _timed(clip, repeats))]


def _clip_row(what: str, seconds: float) -> dict[str, Any]:
    return {"what": what, "seconds": seconds, "real time": CLIP_S / seconds, "peak_mb": measure.peak_rss_mb()}


def _stream(checkpoint: Path, dtype: str, repeats: int) -> list[dict[str, Any]]:
    """Endless streams in their steady state, for each choice of window, and with fewer steps."""
    rows = []
    with _engine(checkpoint, dtype) as engine:
        for steps in (8, 4):
            for window_s, context_s in WINDOWS:
                speed = _steady(engine, repeats, steps=steps, window_s=window_s, context_s=context_s)
                what = f"stream, {steps} steps, windows of {window_s:g} s after {context_s:g} s"
                rows.append({"what": what, "real time": speed, "peak_mb": measure.peak_rss_mb()})
    return rows


def _steady(engine: Any, repeats: int, **options: float) -> float:
    """Seconds of music a second, from the end of a window to that of a later one, after the short first ones."""
    with engine.stream(_request(**options)) as stream:
        stream.read(round(2.5 * options["window_s"] * stream.rate))
        ends: list[tuple[float, int]] = []  # the time, and the latents that had been made
        while len(ends) <= repeats:
            made = stream._track.made
            stream.read(stream.rate // 10)
            if stream._track.made > made:
                ends.append((time.perf_counter(), stream._track.made))
        (began, first), (ended, last) = ends[0], ends[-1]
        return float((last - first) * engine.hop / engine.rate / (ended - began))


def _first(checkpoint: Path, dtype: str, repeats: int) -> list[dict[str, Any]]:
    """How long it takes until something is heard: of a cold process, of a loaded engine, after a change of prompt."""
    command = (
        "import lullwave, sys; e = lullwave.load_engine('stable-audio', checkpoint=sys.argv[1], dtype=sys.argv[2])"
    )
    command += "; e.stream('cosy piano').read(11025)"
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", command, str(checkpoint), dtype], check=True)
    rows = [{"what": "first sound of a cold process", "seconds": time.perf_counter() - began}]
    with _engine(checkpoint, dtype) as engine:

        def first(turn: int) -> None:
            with engine.stream(_request(turn)) as stream:
                stream.read(stream.rate // 4)

        rows.append({"what": "first sound of a loaded engine", "seconds": _timed(first, repeats)})
        for window_s, context_s in WINDOWS:
            with engine.stream(_request(window_s=window_s, context_s=context_s)) as stream:
                stream.read(20 * stream.rate)

                def steered(turn: int, stream: Any = stream) -> None:
                    with stream.fork() as fork:
                        fork.steer(f"{turn} violins")
                        fork.read(stream.rate)

                what = f"a second of music after a change of prompt, windows of {window_s:g} s"
                rows.append({"what": what, "seconds": _timed(steered, repeats)})
    return rows


def _busy(checkpoint: Path, dtype: str, repeats: int) -> list[dict[str, Any]]:
    """The speed while another process takes one of the cores."""
    with _engine(checkpoint, dtype) as engine:
        options = {"steps": 8, "window_s": 12.0, "context_s": 6.0}
        alone = _steady(engine, repeats, **options)
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
            try:
                beside = _steady(engine, repeats, **options)
            finally:
                other.kill()
    return [
        {"what": "stream of 12 s windows, alone", "real time": alone},
        {"what": "the same, another process on one core", "real time": beside, "share": beside / alone},
    ]


def _borders(checkpoint: Path, dtype: str, repeats: int) -> list[dict[str, Any]]:
    """Spectral flux and steps of level at the borders of windows beside those inside them."""
    from .stable_audio_borders import border_rows

    with _engine(checkpoint, dtype) as engine:
        return border_rows(engine, _request(steps=2, window_s=6.0, context_s=4.0))


_CLIPS = {"stock": _stock_clips, "clip": _engine_clips}
_CHILDREN = {"stock": _stock, "clip": _clip, "stream": _stream, "first": _first, "busy": _busy, "borders": _borders}

if __name__ == "__main__":
    main()
