"""One stream that is generated for a remote client: its commands in order, its blocks as far as there is credit.

Everything that touches the engine happens in ``work``, on a worker thread. Knows nothing of sockets: messages to the
client go to ``send``.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...engines.base import Stream
from ...engines.remote import protocol as wire
from ...errors import EngineError, LullwaveError, ProtocolError

BLOCK_S = 0.25  # seconds made in one turn and sent in one message

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Message:
    """One message to the client."""

    data: str | bytes
    stale: Callable[[], bool] = lambda: False  # asked before it is sent: a stale message is dropped


Send = Callable[[Message], None]


class CommandQueue:
    """Commands that run one after the other: a job of the scheduler.

    The event loop adds commands; one worker thread at a time runs them.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._commands: deque[Callable[[], None]] = deque()

    def due(self) -> bool:
        """Tell whether a command waits."""
        return bool(self._commands)

    def work(self) -> None:
        """Run the next command."""
        self._commands.popleft()()

    def call(self, id: int, command: Callable[[], dict[str, Any]]) -> None:
        """Queue a command. The reply ``id`` holds its result, or the error that it raises."""

        def run() -> None:
            try:
                reply = command()
            except Exception as error:
                if not isinstance(error, LullwaveError):
                    log.exception("a command failed")
                self.notify("failed", id=id, **wire.encode_error(error))
            else:
                if reply:
                    self.notify("done", id=id, **reply)

        self._commands.append(run)

    def notify(self, op: str, **fields: Any) -> None:
        """Send the message ``op``."""
        self._send(Message(wire.pack(op, **fields)))


class ServedStream(CommandQueue):
    """One stream of a client: its commands, and its blocks as long as the client grants credit.

    One worker thread at a time reads and steers the stream. The event loop grants credit, asks for ``progress`` and
    abandons the stream: it writes only ``_credit`` and ``_closed``, each a single value.
    """

    def __init__(self, number: int, encoding: str, send: Send, room: Callable[[], bool]) -> None:
        super().__init__(send)
        self.number = number
        self._encoding = encoding
        self._room = room
        self._stream: Stream | None = None
        self._epoch = 0
        self._cut = 0  # from this frame on, blocks of earlier epochs are stale
        self._credit = 0  # the frame up to which the client takes blocks
        self._ended = False  # the music ended, or the engine failed
        self._closed = False
        self._since: float | None = None  # monotonic time at which the present block was begun
        self._made_s = self._worked_s = 0.0  # seconds of music, and how long they took, since ``take_speed``

    def due(self) -> bool:
        """Tell whether a command waits, or a block may be made."""
        if self._closed:
            return False
        return bool(self._commands) or (self._wants_block() and self._room())

    def work(self) -> None:
        """Run the next command, or else make the next block."""
        if self._commands:
            super().work()
        elif self._stream is not None:
            self._make(self._stream)

    def progress(self) -> dict[str, Any] | None:
        """What is being made, for a client that waits for blocks; None when it does not wait."""
        stream = self._stream
        if stream is None or not self._wants_block():
            return None
        since = self._since
        return {
            "stream": self.number,
            "frame": stream.position,
            "working_s": None if since is None else round(time.monotonic() - since, 2),
            "tokens": stream.tokens_made,
        }

    def take_speed(self) -> float | None:
        """How fast it was made since the last call, in times real time; None: nothing was made."""
        made_s, worked_s = self._made_s, self._worked_s
        self._made_s = self._worked_s = 0.0
        return made_s / worked_s if worked_s else None

    def create(self, make: Callable[[], Stream]) -> dict[str, Any]:
        """Create the stream with ``make`` and return the reply that describes it."""
        self._stream = stream = make()
        if self._closed:  # cancelled while ``make`` ran
            stream.close()
            return {}
        request = stream.request
        return {
            "stream": self.number,
            "rate": stream.rate,
            "channels": stream.channels,
            "position": stream.position,
            "total_frames": stream.total_frames,
            "request": {
                "prompt": request.prompt,
                "seed": request.seed,
                "duration_s": request.duration_s,
                "options": dict(request.options),
            },
        }

    def grant(self, frame: int) -> None:
        """Let blocks be sent up to ``frame``."""
        self._credit = max(self._credit, frame)

    def fork(self, at: int | None) -> Stream:
        """Fork the stream at frame ``at``."""
        return self._open().fork(at)

    def steer(self, epoch: int, at: int, prompt: str, over_s: float) -> dict[str, Any]:
        """Steer the music from frame ``at`` on, which the client reads next; blocks made after it are made again."""
        stream = self._open()
        if epoch <= self._epoch:
            raise ProtocolError(f"steer: epoch {epoch} follows epoch {self._epoch}; it must be later")
        if stream.position > at:
            with suppress(EngineError):  # it cannot rewind: the change is heard after the blocks already sent
                self._stream = fork = stream.fork(at)
                stream.close()
                stream = fork
                if self._closed:
                    stream.close()
        understanding = stream.steer(prompt, over_s)
        self._epoch, self._cut, self._ended = epoch, stream.position, False
        return {"epoch": epoch, "from": stream.position, "understanding": wire.encode_understanding(understanding)}

    def snapshot(self, id: int, at: int | None) -> dict[str, Any]:
        """Send the state at frame ``at`` as a binary message, and return an empty reply."""
        snapshot = self._open().snapshot(at)
        self._send(Message(wire.pack_snapshot(self.number, id, snapshot, self._encoding)))
        return {}

    def close(self) -> None:
        """Close the engine's stream. Blocks while the engine finishes, so never call it on the event loop."""
        self._closed = True
        if self._stream is not None:
            self._stream.close()

    def abandon(self) -> None:
        """Make nothing more; ``close`` follows on another thread."""
        self._closed = True

    def _wants_block(self) -> bool:
        return self._stream is not None and not self._ended and self._stream.position < self._credit

    def _open(self) -> Stream:
        if self._stream is None:
            raise EngineError(f"stream {self.number} has not been created")
        return self._stream

    def _make(self, stream: Stream) -> None:
        """Make the next block and send it with the marks and beats in it."""
        epoch, start = self._epoch, stream.position
        frames = min(max(1, round(BLOCK_S * stream.rate)), self._credit - start)
        self._since = time.monotonic()
        try:
            audio = stream.read(frames)
            stop = start + audio.frames
            marks, beats = stream.marks(start, stop), stream.beats(start, stop)
        except Exception as error:
            self._ended = True
            if not self._closed:
                log.warning("stream %d failed: %s", self.number, error)
                self.notify("broken", stream=self.number, epoch=epoch, **wire.encode_error(error))
            return
        finally:
            self._worked_s += time.monotonic() - self._since
            self._since = None
        self._made_s += audio.frames / stream.rate
        self._ended = audio.frames < frames or stop == stream.total_frames
        if marks or beats:
            self.notify("notes", stream=self.number, epoch=epoch, **wire.encode_notes(marks, beats))
        data = wire.pack_audio(self.number, epoch, start, audio, self._encoding, self._ended)
        self._send(Message(data, lambda: self._closed or (epoch < self._epoch and start >= self._cut)))
