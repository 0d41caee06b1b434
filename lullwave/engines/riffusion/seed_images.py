"""Seed images and masks by name: packaged ones, those in a user's folder, the checkpoint's own.

Names are looked up in folder listings and never become part of a path. An image whose name begins with ``mask`` is a
mask. An image that loops on the beat carries PNG text tags, ``tempo_bpm`` and ``beats``.
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
from .clip_options import check_image_name

PACKAGED = Path(__file__).parent / "images"
SUFFIXES = (".png", ".jpg", ".jpeg")

MAX_UPLOAD_BYTES = 8 * 1024 * 1024  # of one file; seed images have about 100 kB
MAX_PIXELS = 4 * 1024 * 1024  # of one image: 82 s of 512 bins
MIN_SIDE, MAX_SIDE = 64, 8192  # pixels
MAX_UPLOADS = 256  # images in a user's folder
CACHED_IMAGES = 64  # decoded images in memory

Kind = Literal["seed", "mask"]


@dataclass(frozen=True)
class SeedImage:
    """One image and its source. If known, its width is ``beats`` beats at ``tempo_bpm``."""

    name: str
    kind: Kind
    source: str
    width: int
    height: int
    tempo_bpm: float | None = None
    beats: int | None = None


class SeedImages:
    """The images of several folders; an earlier folder wins if two hold the same name. Thread-safe."""

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
        """Open an image as RGB; the same object each time until its file changes.

        Raises:
            InvalidInput: ``name`` is not a valid name.
            NotFound: there is no such image.
        """
        check_image_name(f"{kind}_image_id", name)
        _, path = self._find(name, kind)
        key = (path, path.stat().st_mtime_ns)
        with self._lock:
            if key not in self._opened:
                if len(self._opened) >= CACHED_IMAGES:
                    self._opened.clear()
                self._opened[key] = _checked(path.read_bytes(), str(path))
            return self._opened[key]

    def describe(self, name: str, kind: Kind = "seed") -> SeedImage:
        """Read the size and the tags of an image.

        Raises:
            NotFound: there is no such image.
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
        """All images, sorted by name."""
        names = sorted({name for _, name, _ in self._files()})
        return [self.describe(name) for name in names]

    def add(self, name: str, data: bytes) -> SeedImage:
        """Store an uploaded image in the user's folder: its pixels, encoded again, without anything else of the file.

        Raises:
            InvalidInput: the name or the image is not valid, or the folder is full.
        """
        check_image_name("name", name)
        if self._own is None:
            raise InvalidInput("name", name, "no uploads: this server has no folder for them")
        image = _checked(data, "the upload")
        mine = [found for source, found, _ in self._files() if source == "yours"]
        if name not in mine and len(mine) >= MAX_UPLOADS:
            raise InvalidInput("name", name, f"at most {MAX_UPLOADS} uploaded images")
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
    """Decode an image to RGB. Its size is checked before it is decoded."""
    if len(data) > MAX_UPLOAD_BYTES:
        raise InvalidInput("image", f"{len(data)} bytes", f"at most {MAX_UPLOAD_BYTES} bytes")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            width, height = image.size
            if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE and width * height <= MAX_PIXELS):
                raise InvalidInput(
                    "image",
                    f"{width} x {height}",
                    f"sides of {MIN_SIDE} to {MAX_SIDE} pixels, at most {MAX_PIXELS} pixels in total",
                )
            return image.convert("RGB")
    except InvalidInput:
        raise
    except UnidentifiedImageError:  # its message names an object in memory
        raise InvalidInput("image", where, "a PNG or JPEG image") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidInput("image", where, f"a PNG or JPEG image ({error})") from None
