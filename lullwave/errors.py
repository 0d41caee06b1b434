"""The exceptions that Lullwave raises.

::

    LullwaveError
    ├── InvalidInput            a value that is not allowed: field, value, allowed values
    │   ├── PromptError         the prompt does not parse
    │   ├── InvalidFields       the fields of a form that are wrong, an error for each
    │   ├── SettingsError       a setting from file, environment or flag
    │   └── Unsupported         a valid value that cannot be used here; the message gives the reason
    ├── NotFound                a station, clip, file or model that does not exist
    ├── CodecError              audio or an image that cannot be decoded or encoded
    │   └── FileMissing             there is no file at the path to read
    ├── Busy                    a limit is reached; tells when to try again
    │   ├── Full                    a station has as many listeners as allowed
    │   │   └── StationBusy             a station sleeps, and the machine cannot play more of them
    │   └── NothingToUndo           a station plays its first prompt
    ├── TooLarge                a request body that is longer than allowed
    ├── TooSlow                 a request body that does not arrive in time
    ├── Forbidden               the admin token is missing or wrong
    ├── Frozen                  the owner has frozen the steering of a station
    ├── NothingToSkip           no piece is on air that another one could follow
    ├── NoProducer              no server makes the music of a station that several share
    ├── AddressTaken            another program listens at the address
    ├── DataDirTaken            another server uses the data directory
    ├── Unhealthy               a server does not answer the probe of `lullwave health`
    ├── DownloadFailed          a file of a model that cannot be fetched
    ├── FellBehind              a reader of the stream that was too slow
    ├── StorageUnavailable      the history or a store cannot be written or read
    ├── LeaseLost               another process produces the programme
    ├── Cancelled               a clip or a job that its client cancelled
    ├── NoSpeakers              no device to play sound on
    ├── IcecastRefused          an Icecast server that does not take the music
    │   └── WrongPassword           it refuses user or password
    ├── ServerUnreachable       a server that does not answer its client
    │   └── NotConnected            no connection to it could be made
    ├── RequestRefused          a server's reply of an error status
    ├── ProtocolError           a message that does not follow the protocol between two machines
    └── EngineError
        ├── UnknownEngine       no engine of that name is installed
        ├── MissingExtra        the engine exists, its packages are not installed
        ├── CheckpointError     weights are absent, damaged or of another architecture
        ├── SnapshotError       a snapshot of another engine, version or machine class
        ├── Unready             no checkpoint is loaded yet
        ├── StreamClosed        read or steered after close
        └── EngineFailed        the engine broke while making music
            └── EngineLost          an engine in another process or machine does not answer
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class LullwaveError(Exception):
    """Base of everything that Lullwave raises on purpose. Its text is meant for the user."""


class InvalidInput(LullwaveError, ValueError):
    """A value that is not allowed.

    The message names the field, the value received and the allowed values, unless ``message`` replaces it; the server
    and the command line show it unchanged.
    """

    def __init__(self, field: str, value: object, allowed: str, message: str | None = None) -> None:
        self.field = _short(field.encode(errors="backslashreplace").decode())  # it may come from the caller
        self.value = value
        self.allowed = allowed
        try:
            shown = _short(repr(value))
        except ValueError:  # an integer of thousands of digits
            shown = f"an {type(value).__name__} that is too long to be shown"
        super().__init__(message or f"{self.field}: got {shown}; allowed: {allowed}")


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Begin a message about a name that does not exist: "unknown option 'tempo'; did you mean 'tempo_bpm'?"."""
    return f"unknown {kind} {_short(ascii(name))}{_suggestion(name, known)}"


def _suggestion(name: str, known: Iterable[str]) -> str:
    """The known name that is closest to a mistyped one, as a question; otherwise nothing."""
    close = get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."


class PromptError(InvalidInput):
    """A prompt that does not parse."""


class SettingsError(InvalidInput):
    """A setting with a value that is not allowed."""


class Unsupported(InvalidInput):
    """A valid value that cannot be used here. ``reason`` is a clause about the field."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(field, value, "another value, or none")
        self.reason = reason
        self.args = (f"{self.field}: {reason}",)


class NotFound(LullwaveError, LookupError):
    """There is no station, clip, file or model of that name."""

    def __init__(self, kind: str, name: str, known: Iterable[str] = ()) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(known)
        listing = f"; there are: {', '.join(self.known)}" if self.known else ""
        super().__init__(f"no {kind} {name!r}{listing}")


class CodecError(LullwaveError):
    """Audio that cannot be decoded or encoded."""


class FileMissing(CodecError):
    """There is no file at the path to read."""


class Busy(LullwaveError):
    """A limit is reached. ``retry_after_s`` is the time in seconds after which to try again."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class Cancelled(LullwaveError):
    """A clip or a job that its client cancelled."""


class ProtocolError(LullwaveError):
    """A message from another machine that does not follow the protocol."""


class StorageUnavailable(LullwaveError):
    """The history or a store cannot be written or read: the disk is full, a file is damaged, a server is away."""


class EngineError(LullwaveError):
    """Base of the errors of engines."""


class UnknownEngine(EngineError, LookupError):
    """No engine of that name is installed."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        names = tuple(known)
        close = _suggestion(name, names)
        super().__init__(
            f"no engine {name!r}{close}" + (" Installed: " if close else "; installed: ") + ", ".join(names)
        )


class MissingExtra(EngineError, ImportError):
    """The packages that this feature needs are not installed."""

    def __init__(self, feature: str, extra: str, missing: str) -> None:
        self.extra = extra
        super().__init__(
            f"{feature} needs the package {missing!r}, which is not installed; "
            f"install it with: pip install 'lullwave[{extra}]'"
        )


class CheckpointError(EngineError):
    """Model weights are absent, damaged or of an architecture that the engine does not know."""


class SnapshotError(EngineError, ValueError):
    """A snapshot that this engine cannot continue from."""


class StreamClosed(EngineError):
    """The stream was closed."""


class EngineFailed(EngineError):
    """The engine broke while it made music."""


class EngineLost(EngineFailed):
    """An engine in another process or on another machine does not answer; trying again later may help."""
