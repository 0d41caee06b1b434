"""Where model weights come from: a directory, what was pulled before, the Hugging Face hub; knows no architecture.

Models that were pulled lie under ``LULLWAVE_MODELS_DIR`` (by default ``models`` in ``LULLWAVE_DATA_DIR``), one
directory each. A note in it, written last, says that it is complete. What other programs left in the hub's cache is
found too.
``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HUB_OFFLINE`` mean what they mean to the hub's own tools.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .download import DownloadFailed, fetch
from .errors import CheckpointError, MissingExtra, NotFound
from .paths import default_data_dir

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]  # file, bytes of the whole that are there, bytes of the whole

_NOTE = "lullwave-model.json"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_TEXTS = (".json", ".txt", ".model", ".png")
_WEIGHTS = re.compile(r"(diffusion_pytorch_model|pytorch_model|model)(-\d+-of-\d+)?\.(safetensors|bin)")
_TRANSPORTS = ("httpx", "httpcore", "requests", "urllib3")
_SPARE_BYTES = 1_000_000_000  # left free on the disk


@dataclass(frozen=True)
class Installed:
    """A model on this machine. ``licence`` is what the hub says; empty when it says nothing."""

    name: str
    path: Path
    bytes: int
    licence: str
    revision: str


def models_dir() -> Path:
    """Where pulled models lie."""
    named = os.environ.get("LULLWAVE_MODELS_DIR")
    return Path(named) if named else default_data_dir() / "models"


def locate(model: str, offline: bool = False, progress: Progress | None = None) -> Path:
    """The directory of a model: a path, an installed name, or a hub name, which is pulled now.

    Raises:
        CheckpointError: it is not there and cannot be had.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if not _NAME.fullmatch(model) or model.startswith(("./", "../", "/")):
        raise CheckpointError(
            f"no model {model!r}: neither a directory here nor a name of the hub such as 'facebook/musicgen-small'"
        )
    for found in (_place(model) if (_place(model) / _NOTE).is_file() else None, _in_hub_cache(model)):
        if found is not None:
            return found
    if offline or os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "ON", "YES", "TRUE"):
        raise CheckpointError(
            f"model {model!r} is not installed, and this is offline; get it with: lullwave models pull {model}"
        )
    return pull(model, progress).path


def installed() -> list[Installed]:
    """What was pulled, by name."""
    found = []
    for note in sorted(models_dir().glob(f"*/{_NOTE}")):
        try:
            raw = json.loads(note.read_text())
            found.append(Installed(raw["name"], note.parent, raw["bytes"], raw["licence"], raw["revision"]))
        except (OSError, ValueError, KeyError, TypeError):
            log.warning("%s is damaged: pull the model again", note)
    return found


def remove(model: str) -> Path:
    """Delete an installed model, or what is there of one that was not pulled whole.

    Raises:
        NotFound: it is not installed.
    """
    place = _place(model)
    if not _NAME.fullmatch(model) or not place.is_dir():
        raise NotFound("installed model", model, [one.name for one in installed()])
    shutil.rmtree(place)
    return place


def pull(model: str, progress: Progress | None = None) -> Installed:
    """Download a model from the hub; what is there already of it is not fetched again.

    Raises:
        CheckpointError: unknown, not allowed, no network, not enough room on the disk.
    """
    try:
        from huggingface_hub import HfApi, hf_hub_url
        from huggingface_hub import errors as hub
        from huggingface_hub.utils import build_hf_headers
    except ModuleNotFoundError as error:
        raise MissingExtra("pulling models", "ai", error.name or "huggingface_hub") from None
    if not _NAME.fullmatch(model):
        raise CheckpointError(f"no model {model!r}: a name of the hub looks like 'facebook/musicgen-small'")
    place = _place(model)
    endpoint = os.environ.get("HF_ENDPOINT")
    again = "what has come is kept: run it again to go on"
    try:
        info = HfApi(endpoint=endpoint).model_info(model, files_metadata=True)
        sums = {s.rfilename: s.lfs.sha256 for s in info.siblings or [] if s.lfs}
        files = _chosen({s.rfilename: int(s.size or 0) for s in info.siblings or []})
        if not files:
            raise CheckpointError(f"{model} on the hub holds no weights in a known format (safetensors or .bin)")
        total, before = sum(files.values()), 0
        _check_room(place, files, model)
        if progress is None:
            gb, licence = total / 1e9, _licence(info) or "not stated"
            log.warning("%s is not installed: %.2f GB come from the hub to %s; licence: %s", model, gb, place, licence)
            progress = _Tenths(model)
        for name, size in files.items():
            url = hf_hub_url(model, name, revision=info.sha, endpoint=endpoint)
            told = _Told(progress, name, before, total)
            if not (place / name).is_file() or (place / name).stat().st_size != size:
                fetch(url, place / name, size, sums.get(name), build_hf_headers(), told)
            told(size)
            before += size
    except hub.GatedRepoError:
        raise CheckpointError(f"{model} asks for consent: accept its terms on the hub, then set HF_TOKEN") from None
    except hub.RepositoryNotFoundError:
        raise CheckpointError(f"the hub has no model {model!r}, or it is private (then set HF_TOKEN)") from None
    except (hub.HfHubHTTPError, DownloadFailed, OSError) as error:
        raise CheckpointError(f"pulling {model} failed: {error}; {again}") from error
    except Exception as error:
        if type(error).__module__.startswith(_TRANSPORTS):  # whichever the hub's client was built on
            raise CheckpointError(f"pulling {model} failed: {error}; {again}") from error
        raise
    done = Installed(model, place, total, _licence(info), str(info.sha or ""))
    (place / _NOTE).write_text(json.dumps({**asdict(done), "path": str(place)}, indent=1))
    return done


class _Tenths:
    """Logs how far a download is that nobody watches."""

    def __init__(self, model: str) -> None:
        self._model, self._tenths = model, 0

    def __call__(self, file: str, done: int, total: int) -> None:
        if 10 * done // max(1, total) > self._tenths:
            self._tenths = 10 * done // max(1, total)
            log.info("%s: %d %% of %.2f GB", self._model, 10 * self._tenths, total / 1e9)


@dataclass(frozen=True)
class _Told:
    """Adds what came of one file to what came before it."""

    progress: Progress | None
    name: str
    before: int
    total: int

    def __call__(self, count: int) -> None:
        if self.progress is not None:
            self.progress(self.name, self.before + count, self.total)


def _chosen(files: dict[str, int]) -> dict[str, int]:
    """Texts, and of each folder's weights one format: safetensors where there are any."""
    weights = {name: size for name, size in files.items() if _WEIGHTS.fullmatch(name.rpartition("/")[2])}
    safe = {name.rpartition("/")[0] for name in weights if name.endswith(".safetensors")}
    weights = {n: s for n, s in weights.items() if n.endswith(".safetensors") or n.rpartition("/")[0] not in safe}
    if not weights:
        return {}
    return {name: size for name, size in files.items() if name in weights or name.endswith(_TEXTS)}


def _check_room(place: Path, files: dict[str, int], model: str) -> None:
    """Whether the disk holds what is still to come."""
    place.mkdir(parents=True, exist_ok=True)
    wanted = sum(size for name, size in files.items() if not (place / name).is_file())
    partial = sum(file.stat().st_size for file in place.rglob("*.incomplete"))
    free = shutil.disk_usage(place).free
    if wanted - partial + _SPARE_BYTES > free:
        raise CheckpointError(
            f"{model} needs {(wanted - partial) / 1e9:.1f} GB more and 1 GB to spare; {place} has {free / 1e9:.1f} GB "
            "free; make room, or set LULLWAVE_MODELS_DIR to another disk"
        )


def _licence(info: Any) -> str:
    card = getattr(info, "card_data", None)
    named = card.get("license") if card is not None else None
    tags = [tag.partition(":")[2] for tag in info.tags or [] if tag.startswith("license:")]
    return str(named or (tags[0] if tags else ""))


def _place(model: str) -> Path:
    return models_dir() / model.replace("/", "--")


def _in_hub_cache(model: str) -> Path | None:
    """A whole model in the cache that the hub's own tools keep."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ModuleNotFoundError:
        return None
    for name in ("config.json", "model_index.json"):
        found = try_to_load_from_cache(model, name)
        if isinstance(found, str):
            directory = Path(found).parent
            if any(_WEIGHTS.fullmatch(file.name) for file in directory.rglob("*")):
                return directory
    return None
