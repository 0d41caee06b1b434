"""Finds and downloads model weights: a directory, an installed model, or a name on the Hugging Face hub.

The hub's own library lists a model's files; ``download`` fetches them, because ``huggingface_hub.snapshot_download``
(2.4) deletes the partial file when a download breaks off, compares sizes but no hashes, and only warns about a full
disk. Here a download of several gigabytes resumes in the next run, is checked against its SHA-256, is refused before it
begins if the disk is too small, takes one weight format per folder and reports one total.

Each installed model has its directory under ``LULLWAVE_MODELS_DIR`` (by default ``models`` in
``LULLWAVE_DATA_DIR``). A record in it, written last, marks it as complete. Models in the hub's cache are found too.
``HF_ENDPOINT``, ``HF_TOKEN`` and ``HF_HUB_OFFLINE`` work as in the hub's own tools.
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
from .storage.download import DownloadFailed, fetch

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]  # (file name, bytes done in total, bytes in total)

MODULAR_INDEX = "modular_model_index.json"  # of a modular pipeline of diffusers
_RECORD = "lullwave-model.json"  # written last: the model is complete
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_SMALL_FILES = (".json", ".txt", ".model", ".png")  # configurations, vocabularies, seed images
_WEIGHTS = re.compile(
    r"(diffusion_pytorch_model|pytorch_model|model)(?P<fp16>\.fp16)?(-\d+-of-\d+)?(?P<also>\.fp16)?"
    r"\.(?P<format>safetensors|bin)"
)
_OTHER_WEIGHTS = (".safetensors", ".bin", ".ckpt", ".pt", ".pth", ".th")  # under names that this does not know
_TRANSPORTS = ("httpx", "httpcore", "requests", "urllib3")  # HTTP clients of the versions of huggingface_hub
_SPARE_BYTES = 1_000_000_000  # bytes to leave free on the disk, for the music and the system


@dataclass(frozen=True)
class Installed:
    """An installed model. ``licence`` is empty if the hub states none."""

    name: str
    path: Path
    bytes: int
    licence: str
    revision: str


def models_dir() -> Path:
    """The directory of installed models."""
    named = os.environ.get("LULLWAVE_MODELS_DIR")
    return Path(named) if named else default_data_dir() / "models"


def locate(model: str, offline: bool = False, progress: Progress | None = None) -> Path:
    """The directory of a model, given as a path or a name on the hub, which is downloaded if it is not installed.

    The path of a file is returned as it is: some engines load single files.

    Raises:
        CheckpointError: the model does not exist, or it cannot be downloaded.
    """
    path = Path(model).expanduser()
    if path.exists():
        return path
    if not _NAME.fullmatch(model) or model.startswith(("./", "../", "/")):
        raise CheckpointError(
            f"model {model!r} is neither a directory, a file nor a name on the hub such as 'facebook/musicgen-small'"
        )
    for found in (_place(model) if (_place(model) / _RECORD).is_file() else None, _in_hub_cache(model)):
        if found is not None:
            return found
    if offline or os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "ON", "YES", "TRUE"):
        raise CheckpointError(
            f"model {model!r} is not installed and downloads are off; get it with: lullwave models pull {model}"
        )
    return pull(model, progress).path


def installed() -> list[Installed]:
    """The installed models, sorted by name."""
    found = []
    for record in sorted(models_dir().glob(f"*/{_RECORD}")):
        try:
            raw = json.loads(record.read_text())
            found.append(Installed(raw["name"], record.parent, raw["bytes"], raw["licence"], raw["revision"]))
        except (OSError, ValueError, KeyError, TypeError):
            log.warning("%s is damaged: pull the model again", record)
    return found


def remove(model: str) -> Path:
    """Delete a model, also one that was downloaded in part.

    Raises:
        NotFound: it is not installed.
    """
    place = _place(model)
    if not _NAME.fullmatch(model) or not place.is_dir():
        raise NotFound("installed model", model, [one.name for one in installed()])
    shutil.rmtree(place)
    return place


def pull(model: str, progress: Progress | None = None) -> Installed:
    """Download a model from the hub. Files and parts of files from an earlier run are kept.

    Raises:
        MissingExtra: ``huggingface_hub`` is not installed.
        CheckpointError: unknown or forbidden model, network error, or not enough space on the disk.
    """
    try:
        from huggingface_hub import HfApi, hf_hub_url
        from huggingface_hub import errors as hub
        from huggingface_hub.utils import build_hf_headers
    except ModuleNotFoundError as error:
        raise MissingExtra("pulling models", "ai", error.name or "huggingface_hub") from None
    if not _NAME.fullmatch(model):
        raise CheckpointError(f"model {model!r} is not a name on the hub, such as 'facebook/musicgen-small'")
    place = _place(model)
    endpoint = os.environ.get("HF_ENDPOINT")
    hint = "run it again to resume the download"
    try:
        info = HfApi(endpoint=endpoint).model_info(model, files_metadata=True)
        sums = {s.rfilename: s.lfs.sha256 for s in info.siblings or [] if s.lfs}
        sizes = {s.rfilename: int(s.size or 0) for s in info.siblings or []}

        def get(name: str, report: Callable[[int], None]) -> None:
            url = hf_hub_url(model, name, revision=info.sha, endpoint=endpoint)
            fetch(url, place / name, sizes[name], sums.get(name), build_hf_headers(), report)

        named = None
        if MODULAR_INDEX in sizes:
            get(MODULAR_INDEX, lambda count: None)
            named = _folders(place / MODULAR_INDEX)
        files = _chosen(sizes, named)
        if not files:
            others = ", ".join(name for name in sizes if name.endswith(_OTHER_WEIGHTS)) or "none at all"
            raise CheckpointError(
                f"{model} on the hub holds no weights under the names of transformers or diffusers, but: {others}"
            )
        total, before = sum(files.values()), 0
        _check_disk(place, files, model)
        if progress is None:
            gb, licence = total / 1e9, _licence(info) or "not stated"
            log.warning("%s is not installed: downloading %.2f GB to %s; licence: %s", model, gb, place, licence)
            progress = _LoggedProgress(model)
        for name, size in files.items():
            report = _FileProgress(progress, name, before, total)
            if not (place / name).is_file() or (place / name).stat().st_size != size:
                get(name, report)
            report(size)
            before += size
    except hub.GatedRepoError:
        raise CheckpointError(f"{model} is gated; {gated_steps(model)}") from None
    except hub.RepositoryNotFoundError:
        raise CheckpointError(
            f"the hub has no model {model!r}, or it is private or gated; if it is gated, {gated_steps(model)}"
        ) from None
    except PermissionError as error:
        raise CheckpointError(
            f"downloading {model} failed: {error.filename}: {error.strerror}; set HF_HOME and LULLWAVE_MODELS_DIR to "
            "folders that this user may write"
        ) from None
    except (hub.HfHubHTTPError, DownloadFailed, OSError) as error:
        if _status(error) in (401, 403):
            raise CheckpointError(f"{model} is gated; {gated_steps(model)}") from None
        raise CheckpointError(f"downloading {model} failed: {error}; {hint}") from error
    except Exception as error:
        if type(error).__module__.startswith(_TRANSPORTS):  # these differ between versions of huggingface_hub
            raise CheckpointError(f"downloading {model} failed: {error}; {hint}") from error
        raise
    done = Installed(model, place, total, _licence(info), str(info.sha or ""))
    (place / _RECORD).write_text(json.dumps({**asdict(done), "path": str(place)}, indent=1))
    return done


def gated_steps(model: str) -> str:
    """What to do about a gated model."""
    return (
        f"do this once: (1) accept its terms at https://huggingface.co/{model}, (2) make a token at "
        "https://huggingface.co/settings/tokens, (3) set HF_TOKEN to it and try again"
    )


def _status(error: Exception) -> int | None:
    """The HTTP status in an error of the hub's library or of a download."""
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None) or getattr(error, "status", None)


class _LoggedProgress:
    """Logs a download that has no progress bar, every 10 %."""

    def __init__(self, model: str) -> None:
        self._model, self._tenths = model, 0

    def __call__(self, file: str, done: int, total: int) -> None:
        if 10 * done // max(1, total) > self._tenths:
            self._tenths = 10 * done // max(1, total)
            log.info("%s: %d %% of %.2f GB", self._model, 10 * self._tenths, total / 1e9)


@dataclass(frozen=True)
class _FileProgress:
    """Reports the bytes of one file as part of the total."""

    progress: Progress
    name: str
    before: int
    total: int

    def __call__(self, count: int) -> None:
        self.progress(self.name, self.before + count, self.total)


def _folders(index: Path) -> set[str]:
    """The folders that a modular pipeline of diffusers names; others hold the networks of other programs.

    Raises:
        CheckpointError: the index is damaged.
    """
    try:
        parts = {name: part[-1] for name, part in json.loads(index.read_text()).items() if isinstance(part, list)}
        return {str(part.get("subfolder") or name) for name, part in parts.items()}
    except (ValueError, AttributeError, LookupError) as error:
        raise CheckpointError(f"{index} is damaged: {error}") from None


def _chosen(files: dict[str, int], named: set[str] | None = None) -> dict[str, int]:
    """Choose the files to download: configurations, and one form of the weights per folder.

    Full precision goes before float16, then safetensors before .bin. Beside a pipeline of diffusers, weights in the
    first folder are those of another program; so are all folders but those ``named``.
    """
    if named is not None:
        files = {name: size for name, size in files.items() if "/" not in name or name.partition("/")[0] in named}
    forms: dict[str, dict[tuple[bool, bool], list[str]]] = {}
    for name in files:
        folder, _, last = name.rpartition("/")
        if match := _WEIGHTS.fullmatch(last):
            form = (bool(match["fp16"] or match["also"]), match["format"] == "bin")
            if folder or not any(index in files for index in ("model_index.json", MODULAR_INDEX)):
                forms.setdefault(folder, {}).setdefault(form, []).append(name)
    weights = {name for found in forms.values() for name in found[min(found)]}
    if not weights:
        return {}
    return {name: size for name, size in files.items() if name in weights or name.endswith(_SMALL_FILES)}


def _check_disk(place: Path, files: dict[str, int], model: str) -> None:
    """Check that the disk has space for the rest of a model.

    Raises:
        CheckpointError: it has not.
    """
    place.mkdir(parents=True, exist_ok=True)
    missing = sum(size for name, size in files.items() if not (place / name).is_file())
    partial = sum(file.stat().st_size for file in place.rglob("*.incomplete"))
    free = shutil.disk_usage(place).free
    if missing - partial + _SPARE_BYTES > free:
        raise CheckpointError(
            f"{model} needs {(missing - partial) / 1e9:.1f} GB and 1 GB to spare; {free / 1e9:.1f} GB are free in "
            f"{place}; make room or set LULLWAVE_MODELS_DIR to another disk"
        )


def _licence(info: Any) -> str:
    card = getattr(info, "card_data", None)
    named = card.get("license") if card is not None else None
    tags = [tag.partition(":")[2] for tag in info.tags or [] if tag.startswith("license:")]
    return str(named or (tags[0] if tags else ""))


def _place(model: str) -> Path:
    return models_dir() / model.replace("/", "--")


def _in_hub_cache(model: str) -> Path | None:
    """The directory of a model in the cache of the hub's own tools, if it holds weights."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ModuleNotFoundError:
        return None
    for name in ("config.json", "model_index.json", MODULAR_INDEX):
        found = try_to_load_from_cache(model, name)
        if isinstance(found, str):
            directory = Path(found).parent
            if any(_WEIGHTS.fullmatch(file.name) for file in directory.rglob("*")):
                return directory
    return None
