"""Many files on all cores: a progress bar, and a summary of what could not be done and why; knows no task."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from ..errors import LullwaveError, NotFound

SOUNDS = {".wav", ".flac", ".mp3", ".ogg", ".opus", ".aif", ".aiff", ".au", ".m4a", ".aac", ".mp4", ".webm", ".wma"}


def sounds_in(folder: Path) -> list[Path]:
    """The audio files of a folder, those of its folders too, in order.

    Raises:
        NotFound: there is no such folder, or no audio in it.
    """
    if not folder.is_dir():
        raise NotFound("folder", str(folder))
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUNDS and path.is_file())
    if not found:
        raise NotFound("audio file in", str(folder))
    return found


def target_in(folder: Path, source: Path, root: Path, suffix: str) -> Path:
    """Where the result of ``source`` goes: the same place below ``folder``, its name with ``suffix`` added."""
    return folder / source.relative_to(root).parent / (source.name + suffix)


def run(work: Callable[[Path], object], paths: Sequence[Path], processes: int, console: Console) -> int:
    """Do ``work`` for each path; the number that failed. One failure never stops the rest."""
    failures: dict[Path, str] = {}
    count = max(1, min(processes or os.cpu_count() or 1, len(paths)))
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        bar = bars.add_task("files", total=len(paths))
        # Fresh processes: threads and locks of this one are not copied into them.
        with ProcessPoolExecutor(count, get_context("spawn"), initializer=_one_thread) as pool:
            waiting = {pool.submit(_attempt, work, path): path for path in paths}
            for done in as_completed(waiting):
                try:
                    reason = done.result()
                except BrokenProcessPool:
                    reason = "the process that worked on it or on another file ended without a word"
                if reason is not None:
                    failures[waiting[done]] = reason
                bars.advance(bar)
    console.print(f"{len(paths) - len(failures)} of {len(paths)} files done", highlight=False)
    for path in sorted(failures):
        console.print(f"  {path}: {failures[path]}", highlight=False, markup=False, soft_wrap=True)
    return len(failures)


def _one_thread() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"  # every core already has a file


def _attempt(work: Callable[[Path], object], path: Path) -> str | None:
    try:
        work(path)
    except (LullwaveError, OSError) as error:
        return str(error)
    except Exception as error:  # a file that breaks a decoder must not stop the others
        return f"{type(error).__name__}: {error}"
    return None
