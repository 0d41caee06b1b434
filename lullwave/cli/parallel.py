"""Many files on all cores, with a progress bar and a summary of the failures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from ..codecs import fitting_name
from ..errors import InvalidInput, LullwaveError, NotFound
from .signals import StoppedBySignal, begin_worker, end_by

STOP_S = 5.0  # seconds that a worker may take to delete its part files
SOUNDS = {".wav", ".flac", ".mp3", ".ogg", ".opus", ".aif", ".aiff", ".au", ".m4a", ".aac", ".mp4", ".webm", ".wma"}


def sounds_in(folder: Path, pattern: str = "**/*") -> list[Path]:
    """The audio files below ``folder`` that match ``pattern``, sorted.

    Raises:
        NotFound: there is no such folder, or no audio file in it.
        InvalidInput: the pattern is empty or absolute.
    """
    if not folder.is_dir():
        raise NotFound("folder", str(folder))
    found = sorted(path for path in _matching(folder, pattern) if path.suffix.lower() in SOUNDS and path.is_file())
    if not found:
        raise NotFound("audio file in", str(folder))
    return found


def first_of(paths: list[Path], limit: int) -> list[Path]:
    """The first ``limit`` of the paths; 0 or less: all."""
    return paths[:limit] if limit > 0 else paths


def _matching(folder: Path, pattern: str) -> Iterable[Path]:
    try:
        return list(folder.glob(pattern))
    except (ValueError, NotImplementedError):  # empty, or an absolute path
        raise InvalidInput("glob", pattern, "a pattern inside the folder, such as *.mp3 or **/*.wav") from None


def target_in(folder: Path, source: Path, root: Path, suffix: str) -> Path:
    """The result's path: that of ``source`` below ``root``, moved below ``folder``, with ``suffix`` for its own."""
    return folder / source.relative_to(root).parent / fitting_name(source.stem + suffix)


def check_targets(targets: Mapping[Path, Path]) -> None:
    """Check that no two sources would be written to one file.

    Raises:
        InvalidInput: names both sources.
    """
    first: dict[str, Path] = {}
    for source, target in targets.items():
        other = first.setdefault(os.path.normcase(target), source)
        if other is not source:
            raise InvalidInput("audio_dir", f"{other.name} and {source.name}", f"one source for {target.name}")


def run(work: Callable[[Path], object], paths: Sequence[Path], processes: int, console: Console) -> int:
    """Do ``work`` for each path and return how many failed. One failure never stops the rest.

    A signal stops the workers too, and they leave no part files.
    """
    failures: dict[Path, str] = {}
    count = max(1, min(processes or os.cpu_count() or 1, len(paths)))
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        bar = bars.add_task("files", total=len(paths))
        broken = []
        with _processes(count) as pool:
            waiting = {pool.submit(_attempt, work, path): path for path in paths}
            for done in as_completed(waiting):
                try:
                    reason = done.result()
                except BrokenProcessPool:  # this file or one in another process killed it
                    broken.append(waiting[done])
                    continue
                if reason is not None:
                    failures[waiting[done]] = reason
                bars.advance(bar)
        for path, reason in _one_by_one(work, sorted(broken)):
            if reason is not None:
                failures[path] = reason
            bars.advance(bar)
    console.print(f"{len(paths) - len(failures)} of {len(paths)} files done", highlight=False)
    for path in sorted(failures):
        console.print(f"  {path}: {failures[path]}", highlight=False, markup=False, soft_wrap=True)
    return len(failures)


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes; ended by SIGTERM if the block raises, instead of doing all the work that waits.

    Spawned, not forked: threads and locks of this process are not copied.
    """
    pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=_begin)
    try:
        yield pool
    except BaseException:
        workers = active_children()
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join(STOP_S)
            worker.kill()
        raise
    pool.shutdown()


def _one_by_one(work: Callable[[Path], object], paths: Sequence[Path]) -> Iterator[tuple[Path, str | None]]:
    """Try paths one at a time, so that the file that kills its process is known; yields (path, reason or None)."""
    left = list(paths)
    while left:
        with _processes(1) as pool:
            while left:
                path = left.pop(0)
                try:
                    reason = pool.submit(_attempt, work, path).result()
                except BrokenProcessPool:
                    yield path, "its process was killed"
                    break
                yield path, reason


def _begin() -> None:
    begin_worker()
    os.environ["OMP_NUM_THREADS"] = "1"  # every core already has a file


def _attempt(work: Callable[[Path], object], path: Path) -> str | None:
    try:
        work(path)
    except StoppedBySignal as stop:
        end_by(stop.number)
    except (LullwaveError, OSError) as error:
        return str(error)
    except Exception as error:  # a file that breaks a decoder must not stop the others
        return f"{type(error).__name__}: {error}"
    return None
