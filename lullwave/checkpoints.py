"""Where model weights come from: a directory, what was pulled before, the Hugging Face hub; knows no architecture.

Models that were pulled lie under ``LULLWAVE_MODELS_DIR`` (by default ``models`` in the data directory), one directory
each. A note in it, written last, says that it is complete. What other programs left in the hub's cache is found too.
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
        from huggingface_hub import HfApi, hf_hub_download
        from huggingface_hub import errors as hub
    except ModuleNotFoundError as error:
        raise MissingExtra("pulling models", "ai", error.name or "huggingface_hub") from None
    if not _NAME.fullmatch(model):
        raise CheckpointError(f"no model {model!r}: a name of the hub looks like 'facebook/musicgen-small'")
    place = _place(model)
    endpoint = os.environ.get("HF_ENDPOINT")
    try:
        info = HfApi(endpoint=endpoint).model_info(model, files_metadata=True)
        files = _chosen({s.rfilename: int(s.size or 0) for s in info.siblings or []})
        if not files:
            raise CheckpointError(
                f"{model} on the hub holds no weights in a known format (safetensors or PyTorch .bin)"
            )
        total = sum(files.values())
        _check_room(place, files, model)
        counter = _Counter(total, progress)
        for name, size in files.items():
            counter.begin(name, size)
            hf_hub_download(
                model,
                name,
                revision=info.sha,
                local_dir=place,
                endpoint=endpoint,
                tqdm_class=counter.bar(),
            )
            counter.end()
    except hub.RepositoryNotFoundError:
        raise CheckpointError(f"the hub has no model {model!r}, or it is private (then set HF_TOKEN)") from None
    except hub.GatedRepoError:
        raise CheckpointError(f"{model} asks for consent: accept its terms on the hub, then set HF_TOKEN") from None
    except (hub.HfHubHTTPError, hub.LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(
            f"pulling {model} failed: {error}; what has come is kept: run it again to go on"
        ) from error
    except Exception as error:
        if type(error).__module__.startswith(_TRANSPORTS):  # whichever the hub's client was built on
            raise CheckpointError(
                f"pulling {model} failed: {error}; what has come is kept: run it again to go on"
            ) from error
        raise
    done = Installed(model, place, total, _licence(info), str(info.sha or ""))
    (place / _NOTE).write_text(json.dumps({**asdict(done), "path": str(place)}, indent=1))
    return done


class _Counter:
    """Adds up what the hub's client reports of each file."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress = total, progress
        self._before = self._here = self._size = 0
        self._name = ""

    def begin(self, name: str, size: int) -> None:
        self._name, self._size, self._here = name, size, 0
        self.add(0)

    def end(self) -> None:
        self._before += self._size
        self._here = 0
        self.add(0)

    def add(self, count: int) -> None:
        self._here = min(self._size, self._here + count)
        if self._progress is not None:
            self._progress(self._name, self._before + self._here, self._total)

    def bar(self) -> Any:
        """A class that looks like tqdm and shows nothing."""
        from huggingface_hub.utils import tqdm

        counter = self

        class Bar(tqdm):  # type: ignore[misc]
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                kwargs["disable"] = True
                super().__init__(*args, **kwargs)
                counter.add(int(kwargs.get("initial") or 0))

            def update(self, n: float | None = 1) -> bool | None:
                counter.add(int(n or 0))
                return None

        return Bar


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
