"""The queue of images in front of one pipeline: images of equal shape share one pass of the networks."""

from __future__ import annotations

from typing import TypeAlias

from PIL import Image

from .. import batching
from ..batching import Progress
from .clip_options import DenoisingConfig
from .pipeline import ImageRequest

Job: TypeAlias = batching.Job[ImageRequest, DenoisingConfig, Image.Image]


class BatchQueue(batching.BatchQueue[ImageRequest, DenoisingConfig, Image.Image]):
    """Makes images on its own thread, first come first served. Thread-safe."""

    def submit(self, request: ImageRequest, config: DenoisingConfig, progress: Progress | None = None) -> Job:
        """Queue one image.

        Raises:
            Busy: the queue is full.
            StreamClosed: the queue is closed.
        """
        key = (config, request.latent_size, request.strength, request.image is None)
        return self.add(request, config, key, progress)
