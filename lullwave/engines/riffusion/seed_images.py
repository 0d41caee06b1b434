"""Seed images and masks by name: packaged ones, a user's folder, the checkpoint's own; knows nothing of models.

A name is looked up in what the folders hold and never becomes part of a path. Images whose name begins with ``mask``
are offered as masks. An image that loops on the beat says so in its tags (``tempo_bpm`` and ``beats``, PNG text).
"""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

from PIL import Image, UnidentifiedImageError

from ...errors import InvalidInput, NotFound
from .interpolation import image_name

PACKAGED = Path(__file__).parent / "images"
SUFFIXES = (".png", ".jpg", ".jpeg")

MAX_UPLOAD_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 4 * 1024 * 1024
MIN_SIDE, MAX_SIDE = 64, 8192
MAX_UPLOADS = 256

Kind = Literal["seed", "mask"]


@dataclass(frozen=True)
class SeedImage:
    """One image and where it comes from. ``beats`` of it at ``tempo_bpm`` fill its width, where that is known."""

    name: str
    kind: Kind
    source: str
    width: int
    height: int
    tempo_bpm: float | None = None
    beats: int | None = None


class SeedImages:
    """The images of several folders; earlier folders win where two have a name."""

    def __init__(self, own: Path | None = None, checkpoint: Path | None = None) -> None:
        self._own = own
        self._folders: list[tuple[str, Path]] = []
        if own is not None:
            self._folders.append(("yours", own))
        self._folders.append(("lullwave", PACKAGED))
        if checkpoint is not None:
            self._folders += [("checkpoint", checkpoint), ("checkpoint", checkpoint / "seed_images")]
        self._opened: dict[tuple[Path, int], Image.Image] = {}
        self._lock = Lock()

    def __call__(self, name: str, kind: Kind = "seed") -> Image.Image:
        """The image called ``name``, RGB. The same object every time while the file stays what it is.

        Raises:
            InvalidInput: ``name`` cannot be a name.
            NotFound: there is no such image.
        """
        image_name(f"{kind}_image_id", name)
        _, path = self._find(name, kind)
        key = (path, path.stat().st_mtime_ns)
        with self._lock:
            if key not in self._opened:
                if len(self._opened) >= 64:
                    self._opened.clear()
                self._opened[key] = _checked(path.read_bytes(), str(path))
            return self._opened[key]

    def describe(self, name: str, kind: Kind = "seed") -> SeedImage:
        """What is known of an image.

        Raises:
            NotFound
        """
        source, path = self._find(name, kind)
        with Image.open(path) as image:
            tempo, beats = image.info.get("tempo_bpm"), image.info.get("beats")
            return SeedImage(
                name,
                "mask" if name.startswith("mask") else "seed",
                source,
                *image.size,
                float(tempo) if tempo else None,
                int(beats) if beats else None,
            )

    def list(self) -> Sequence[SeedImage]:
        """Every image once, by name."""
        names = sorted({name for _, name, _ in self._files()})
        return [self.describe(name) for name in names]

    def add(self, name: str, data: bytes) -> SeedImage:
        """Keep an image of the user's: its pixels, encoded anew, and nothing else of the file.

        Raises:
            InvalidInput: no name, no image, too large, or the folder is full.
        """
        image_name("name", name)
        if self._own is None:
            raise InvalidInput("name", name, "nothing: there is no folder for images of your own")
        image = _checked(data, "the upload")
        mine = [found for source, found, _ in self._files() if source == "yours"]
        if name not in mine and len(mine) >= MAX_UPLOADS:
            raise InvalidInput("name", name, f"at most {MAX_UPLOADS} images of your own")
        self._own.mkdir(parents=True, exist_ok=True)
        target = self._own / f"{name}.png"
        part = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            image.save(part, "PNG")
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
        for suffix in SUFFIXES[1:]:
            (self._own / f"{name}{suffix}").unlink(missing_ok=True)
        return self.describe(name)

    def _find(self, name: str, kind: Kind) -> tuple[str, Path]:
        for source, found, path in self._files():
            if found == name:
                return source, path
        fitting = sorted({found for _, found, _ in self._files() if found.startswith("mask") == (kind == "mask")})
        raise NotFound(f"{kind} image", name, fitting)

    def _files(self) -> Iterator[tuple[str, str, Path]]:
        for source, folder in self._folders:
            if not folder.is_dir():
                continue
            for path in sorted(folder.iterdir()):
                if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
                    yield source, path.stem, path


def _checked(data: bytes, where: str) -> Image.Image:
    """The pixels of an image that is not too large; its size is looked at before anything is decoded."""
    if len(data) > MAX_UPLOAD_BYTES:
        raise InvalidInput("image", f"{len(data)} bytes", f"at most {MAX_UPLOAD_BYTES} bytes")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            width, height = image.size
            if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE and width * height <= MAX_PIXELS):
                raise InvalidInput(
                    "image",
                    f"{width} x {height}",
                    f"{MIN_SIDE} to {MAX_SIDE} pixels a side, at most {MAX_PIXELS} in all",
                )
            return image.convert("RGB")
    except InvalidInput:
        raise
    except UnidentifiedImageError:  # its text names an object in memory
        raise InvalidInput("image", where, "a PNG or JPEG image") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidInput("image", where, f"a PNG or JPEG image ({error})") from None
