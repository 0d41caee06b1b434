"""Every failure of a command in one place: one line on stderr and an exit status.

2 is for what the caller can put right (a wrong value, a path), 1 for everything else, 130 for Ctrl-C, 141 for a
reader of our output that went away. SIGTERM and SIGHUP end the process as they would have without a handler.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from ..errors import FileMissing, InvalidInput, LullwaveError, NotFound, UnknownEngine
from ..pydantic_errors import allowed_words
from ..storage.atomic_files import delete_unfinished
from .signals import StoppedBySignal, again_in, end_by

WRONG_INPUT = 2
FAILED = 1
INTERRUPTED = 130  # 128 + SIGINT
READER_GONE = 141  # 128 + SIGPIPE


@contextmanager
def translated(verbose: bool = False) -> Iterator[None]:
    """Errors inside the block end the program with a line instead of a traceback (with one if ``verbose``)."""
    try:
        yield
    except (KeyboardInterrupt, typer.Abort):
        again_in(0.0)
        delete_unfinished()
        _end("stopped", INTERRUPTED)
    except StoppedBySignal as stop:
        end_by(stop.number)
    except BrokenPipeError:
        # Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(READER_GONE) from None
    except (InvalidInput, NotFound, FileMissing, UnknownEngine) as error:
        _end(str(error), WRONG_INPUT, error if verbose else None)
    except LullwaveError as error:
        _end(str(error), FAILED, error if verbose else None)
    except OSError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        _end(named, FAILED, error if verbose else None)
    except Exception as error:
        if isinstance(error, typer.BadParameter) and (said := _wrong_value(error)):
            _end(said, WRONG_INPUT)
        if hasattr(error, "exit_code"):  # the parser's own: usage errors and orderly exits
            raise
        hint = "" if verbose else " (lullwave --verbose … shows where)"
        _end(f"unexpected {type(error).__name__}: {error}{hint}", FAILED, error if verbose else None)


def _wrong_value(error: typer.BadParameter) -> str | None:
    """Say plainly which flag has a wrong value; None for the parser's other errors."""
    from pydantic import ValidationError

    if error.param is None or not isinstance(error.__cause__, ValidationError):
        return None
    fault = error.__cause__.errors()[0]
    flag = next((name for name in error.param.opts if name.startswith("--")), error.param.name or "")
    return str(InvalidInput(flag, fault["input"], allowed_words(fault)))


def _end(message: str, status: int, error: BaseException | None = None) -> None:
    if error is not None:
        traceback.print_exception(error)
    print(f"lullwave: {message}", file=sys.stderr)
    raise SystemExit(status) from None
