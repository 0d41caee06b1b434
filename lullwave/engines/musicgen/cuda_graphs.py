"""Records GPU work once as a CUDA graph, so that repeating it costs one launch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")


def record(work: Callable[[], Result]) -> Callable[[], Result]:
    """Record ``work()``, which launches kernels on fixed buffers; returns what repeats it.

    Each repetition overwrites the tensors that the first one returned, and returns them. It runs on the stream that is
    current when it is called.
    """
    cuda: Any = torch.cuda
    side = cuda.Stream()
    side.wait_stream(cuda.current_stream())
    with cuda.stream(side):
        work()  # warm up: libraries initialise and kernels are compiled outside of the recording
    cuda.current_stream().wait_stream(side)
    graph = cuda.CUDAGraph()
    # Other threads encode prompts and decode chunks meanwhile: their CUDA calls must not break the recording
    with cuda.graph(graph, capture_error_mode="thread_local"):
        result = work()

    def replay() -> Result:
        graph.replay()
        return result

    return replay
