"""Records what goes on air as clips of fixed length. Knows neither files nor HTTP.

Each clip overlaps the next one a little, so that a player that reaches the end of one finds the next. Sound is encoded
as it arrives: an unfinished clip is held as MP3, not as samples.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..audio import Audio
from ..codecs import StreamEncoder, Tags, id3
from .clips import REPLAYED, ClipInfo, ClipStore

FADE_S = 1.0  # fade at both ends of a clip
OVERLAP_S = 2.0  # by how much a clip overlaps the next one: replayed clips are crossfaded

_INFO_FIELDS = ("title", "tempo_bpm", "key", "prompt")  # of a piece's data, kept with the clip

log = logging.getLogger(__name__)


class ClipRecorder:
    """Cuts sound into clips of ``clip_s``. One thread calls ``feed``; encoding runs on ``executor``.

    Each clip begins ``OVERLAP_S`` before the end of the one before, so a client that asks again at the end of a clip
    always finds the next one.

    ``executor`` must run its jobs one after another.
    """

    def __init__(self, store: ClipStore, executor: Executor, rate: int, clip_s: float, kbps: int) -> None:
        self._store = store
        self._executor = executor
        self._rate = rate
        self._frames = round(clip_s * rate)
        self._step = self._frames - round(min(OVERLAP_S, clip_s / 5) * rate)  # from one clip's beginning to the next
        self._kbps = kbps
        self._frame = 0  # fed so far
        self._open: list[_OpenClip] = []  # oldest first; two where they overlap
        self._pieces: list[tuple[int, Mapping[str, Any]]] = []  # (frame, data) of the pieces in the open clips
        self._beats: list[int] = []

    def feed(
        self,
        samples: npt.NDArray[np.float32],
        pieces: Sequence[tuple[int, Mapping[str, Any]]] = (),
        beats: Sequence[int] = (),
    ) -> None:
        """Add mastered sound, (T, C), with the pieces and beats that begin in it, counted from its first frame.

        A clip with a piece that was itself played from a clip is served, but not stored again.
        """
        begin, end = self._frame, self._frame + len(samples)
        self._frame = end
        self._pieces += [(begin + at, data) for at, data in pieces]
        self._beats += [begin + at for at in beats]
        following = self._open[-1].begin + self._step if self._open else begin
        while following < end:
            encoder = ClipEncoder(self._frames, self._rate, samples.shape[1], self._kbps)
            self._open.append(_OpenClip(following, following + self._frames, encoder))
            following += self._step
        try:
            for clip in list(self._open):
                part = samples[max(0, clip.begin - begin) : clip.end - begin]
                self._executor.submit(clip.encoder.feed, part)
                if clip.end <= end:
                    self._executor.submit(self._store_clip, clip.encoder, *self._info(clip.begin, clip.end))
                    self._open.remove(clip)
                    self._forget(clip.begin + self._step)
        except RuntimeError:  # the executor was shut down: the server is stopping
            return

    def _info(self, start: int, stop: int) -> tuple[ClipInfo | None, bool, Tags]:
        """The info of the clip from ``start`` to ``stop``, whether to keep it, and its tags."""
        spans: list[tuple[int, Mapping[str, Any]]] = []
        for (at, data), (end, _) in pairwise([*self._pieces, (stop, {})]):
            if min(end, stop) > max(at, start):
                spans.append((min(end, stop) - max(at, start), data))
        keep = not any(data.get("source") == REPLAYED for _, data in spans)
        if not spans:
            return None, keep, _tags({})
        _, longest = max(spans, key=lambda span: span[0])
        data = {name: longest[name] for name in _INFO_FIELDS if longest.get(name) is not None}
        info = ClipInfo(data, tuple(beat - start for beat in self._beats if start <= beat < stop))
        return info, keep, _tags(longest)

    def _forget(self, frame: int) -> None:
        """Forget the pieces and beats before ``frame``: no later clip contains them."""
        while len(self._pieces) > 1 and self._pieces[1][0] <= frame:
            self._pieces.pop(0)
        self._beats = [beat for beat in self._beats if beat >= frame]

    def _store_clip(self, clip: ClipEncoder, info: ClipInfo | None, keep: bool, tags: Tags) -> None:
        try:
            self._store.add(id3(tags) + clip.data(), info, keep)
        except Exception:
            log.exception("a clip was lost")


def _tags(data: Mapping[str, Any]) -> Tags:
    """The tags of a clip; ``data`` is that of the piece that fills most of it."""
    return Tags.of_generated(
        str(data.get("title", "")), str(data.get("prompt", "")), data.get("seed"), data.get("engine")
    )


class _OpenClip(NamedTuple):
    """An unfinished clip; ``begin`` and ``end`` count the frames fed to the recorder."""

    begin: int
    end: int
    encoder: ClipEncoder


class ClipEncoder:
    """Encodes one clip of ``frames`` with its fades, as sound arrives. One thread at a time."""

    def __init__(self, frames: int, rate: int, channels: int, kbps: int) -> None:
        self._rate = rate
        self._frames = frames
        self._fade = max(1, min(round(FADE_S * rate), frames // 4))
        self._frame = 0
        self._encoder = StreamEncoder("mp3", rate, channels, frames, kbps)
        self._encoded = [self._encoder.header]
        self._error: Exception | None = None

    def feed(self, samples: npt.NDArray[np.float32]) -> None:
        """Encode the next samples, (T, C). Never raises: ``data`` raises the error."""
        n = np.arange(self._frame, self._frame + len(samples), dtype=np.float64)[:, None]
        self._frame += len(samples)
        edge = np.clip(np.minimum(n + 0.5, self._frames - n - 0.5) / self._fade, 0.0, 1.0)
        faded = samples * (np.sin(0.5 * np.pi * edge) ** 2).astype(np.float32)
        try:
            self._encoded.append(self._encoder.encode(Audio(faded, self._rate)))
        except Exception as error:
            self._error = error

    def data(self) -> bytes:
        """The whole clip, after all of it was fed."""
        if self._error is not None:
            raise self._error
        return b"".join([*self._encoded, self._encoder.flush()])
