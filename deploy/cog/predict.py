"""Riffusion as a Cog predictor: two prompts and a position between them in, audio and its spectrogram out."""

import os
import tempfile
from pathlib import Path as Folder
from typing import Any, Optional

from cog import BaseModel, BasePredictor, Input, Path

import lullwave
from lullwave.codecs import write
from lullwave.engines.riffusion.clip_options import Interpolation, PromptInput
from lullwave.engines.riffusion.legacy_api import encode_image
from lullwave.errors import LullwaveError


class Output(BaseModel):
    """``error`` is set if the inputs were wrong; otherwise the two files are."""

    audio: Optional[Path] = None  # noqa: UP045  (Cog reads these annotations)
    spectrogram: Optional[Path] = None  # noqa: UP045
    error: Optional[str] = None  # noqa: UP045


class Predictor(BasePredictor):
    """``RIFFUSION_CHECKPOINT`` and ``RIFFUSION_DEVICE`` choose the checkpoint and the device."""

    def setup(self) -> None:
        """Load the checkpoint, or download it first."""
        self.engine: Any = lullwave.load_engine(
            "riffusion",
            checkpoint=os.environ.get("RIFFUSION_CHECKPOINT", "riffusion/riffusion-model-v1"),
            device=os.environ.get("RIFFUSION_DEVICE", "auto"),
        )

    def predict(
        self,
        prompt_a: str = Input(description="The prompt for your audio", default="funky synth solo"),
        denoising: float = Input(description="How much to transform the seed image", default=0.75, ge=0, le=1),
        prompt_b: str = Input(description="A second prompt to interpolate with; may be empty", default=""),
        alpha: float = Input(description="0 is the first prompt, 1 the second", default=0.5, ge=0, le=1),
        num_inference_steps: int = Input(description="Denoising steps", default=50, ge=1, le=200),
        seed_image_id: str = Input(description="The spectrogram to begin from", default="vibes"),
    ) -> Output:
        """Make one clip."""
        try:
            start = PromptInput(prompt_a, 42, denoising=denoising)
            end = PromptInput(prompt_b, 123, denoising=denoising) if prompt_b else start
            request = Interpolation(start, end, float(alpha), num_inference_steps, seed_image_id)
            image = self.engine.submit(request).result.result()
        except LullwaveError as error:
            return Output(error=str(error))
        folder = Folder(tempfile.mkdtemp(prefix="riffusion-"))
        audio = write(folder / "audio.wav", self.engine.converter.audio(image), tags=request.tags())
        spectrogram = folder / "spectrogram.jpg"
        spectrogram.write_bytes(encode_image(image, "JPEG", self.engine.converter.exif(), request.tags()))
        return Output(audio=Path(audio), spectrogram=Path(spectrogram))
