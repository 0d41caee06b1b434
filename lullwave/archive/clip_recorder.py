"""Cuts what goes on air into clips, in slots of fixed length; knows neither files nor HTTP.

Clips overlap a little, so that whoever plays one to its end finds the next. Sound is encoded as it comes: a clip in the
making is its MP3 so far.
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

FADE_S = 1.0  # at both ends of a clip
OVERLAP_S = 2.0  # how much longer than its slot a clip is

_TOLD = ("title", "tempo_bpm", "key", "prompt")  # of the data of a piece, beside a clip

log = logging.getLogger(__name__)


class ClipRecorder:
    """Cuts what goes on air into clips. ``feed`` comes from the air thread; encoding happens on ``executor``.

    The executor must do one thing after another.
    """

    def __init__(self, shelf: ClipStore, executor: Executor, rate: int, slot_s: float, kbps: int) -> None:
        self._shelf = shelf
        self._executor = executor
        self._rate = rate
        self._slot = round(slot_s * rate)
        self._overlap = round(min(OVERLAP_S, slot_s / 4) * rate)
        self._kbps = kbps
        self._frame = 0  # of all that was fed
        self._open: list[_Open] = []  # oldest first; two where they overlap
        self._pieces: list[tuple[int, Mapping[str, Any]]] = []  # where they began, from the one on that is heard first
        self._beats: list[int] = []

    def feed(
        self,
        samples: npt.NDArray[np.float32],
        pieces: Sequence[tuple[int, Mapping[str, Any]]] = (),
        beats: Sequence[int] = (),
    ) -> None:
        """The next mastered sound, (T, C), with what begins in it: pieces and beats, in frames from its beginning.

        A piece whose data has a ``source`` of "recycled" was a clip before: it is not kept once more.
        """
        begin, end = self._frame, self._frame + len(samples)
        self._frame = end
        self._pieces += [(begin + at, data) for at, data in pieces]
        self._beats += [begin + at for at in beats]
        following = self._open[-1].begin + self._slot if self._open else begin
        while following < end:
            frames = self._slot + self._overlap
            encoder = ClipEncoder(frames, self._rate, samples.shape[1], self._kbps)
            self._open.append(_Open(following, following + frames, encoder))
            following += self._slot
        try:
            for clip in list(self._open):
                part = samples[max(0, clip.begin - begin) : clip.end - begin]
                self._executor.submit(clip.encoder.feed, part)
                if clip.end <= end:
                    self._executor.submit(self._keep, clip.encoder, *self._known(clip.begin, clip.end))
                    self._open.remove(clip)
                    self._forget(clip.begin + self._slot)
        except RuntimeError:  # the server ends
            return

    def _known(self, start: int, stop: int) -> tuple[ClipInfo | None, bool, Tags]:
        """What is known of a stretch, whether it is worth keeping, and its tags."""
        spans: list[tuple[int, Mapping[str, Any]]] = []
        for (at, data), (end, _) in pairwise([*self._pieces, (stop, {})]):
            if min(end, stop) > max(at, start):
                spans.append((min(end, stop) - max(at, start), data))
        kept = not any(data.get("source") == REPLAYED for _, data in spans)
        if not spans:
            return None, kept, _tags({})
        _, longest = max(spans, key=lambda span: span[0])
        data = {name: longest[name] for name in _TOLD if longest.get(name) is not None}
        info = ClipInfo(data, tuple(beat - start for beat in self._beats if start <= beat < stop))
        return info, kept, _tags(longest)

    def _forget(self, frame: int) -> None:
        """What was before ``frame`` is in no clip to come."""
        while len(self._pieces) > 1 and self._pieces[1][0] <= frame:
            self._pieces.pop(0)
        self._beats = [beat for beat in self._beats if beat >= frame]

    def _keep(self, clip: ClipEncoder, past: ClipInfo | None, kept: bool, tags: Tags) -> None:
        try:
            self._shelf.add(id3(tags) + clip.data(), past, kept)
        except Exception:
            log.exception("a clip was lost")


def _tags(data: Mapping[str, Any]) -> Tags:
    """The tags of a clip that a piece with this ``data`` fills most of."""
    return Tags.of_generated(
        str(data.get("title", "")), str(data.get("prompt", "")), data.get("seed"), data.get("engine")
    )


class _Open(NamedTuple):
    """A clip in the making: where it begins and ends, in frames of all that is fed."""

    begin: int
    end: int
    encoder: ClipEncoder


class ClipEncoder:
    """One clip of ``frames``, with its fades, encoded as it comes: its MP3 so far is all that is kept of it."""

    def __init__(self, frames: int, rate: int, channels: int, kbps: int) -> None:
        self._rate = rate
        self._frames = frames
        self._fade = max(1, min(round(FADE_S * rate), frames // 4))
        self._frame = 0
        self._encoder = StreamEncoder("mp3", rate, channels, frames, kbps)
        self._made = [self._encoder.header]
        self._error: Exception | None = None

    def feed(self, samples: npt.NDArray[np.float32]) -> None:
        """What follows, (T, C). Raises nothing, as nobody waits for it: ``data`` does."""
        n = np.arange(self._frame, self._frame + len(samples), dtype=np.float64)[:, None]
        self._frame += len(samples)
        edge = np.clip(np.minimum(n + 0.5, self._frames - n - 0.5) / self._fade, 0.0, 1.0)
        faded = samples * (np.sin(0.5 * np.pi * edge) ** 2).astype(np.float32)
        try:
            self._made.append(self._encoder.encode(Audio(faded, self._rate)))
        except Exception as error:
            self._error = error

    def data(self) -> bytes:
        """The bytes of the whole clip, once all was fed."""
        if self._error is not None:
            raise self._error
        return b"".join([*self._made, self._encoder.flush()])
