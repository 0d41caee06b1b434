"""``lullwave play``: music of any engine on this machine's speakers, or at an Icecast server."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from ...audio import Audio
from ...blocks import mastered, of_stream, resampled
from ...clock import SystemClock
from ...codecs import DEFAULT_KBPS, StreamEncoder, rate_for
from ...engines import engine_class, engine_facts, load_engine
from ...engines.base import Stream
from ...generation import DEFAULT_ENGINE
from ...options import build as build_options
from ...options import parse_pairs
from ...playback.ahead import ReadAhead
from ...playback.icecast import IcecastAddress, IcecastSource, Part, push
from ...playback.speakers import play as play_on_speakers
from ...request import Request, random_seed
from ..flags import FlagGroup, Kbps, Quiet, Words, called, given, with_flags
from ..parsing import prompt_of


def build(arguments: list[str]) -> Callable[..., None]:
    """The command, with the flags of the engine that the arguments name."""
    engine = engine_facts(given(arguments, "--engine", DEFAULT_ENGINE))
    groups = (FlagGroup("load_options", engine.load_options), FlagGroup("options", engine.options))
    return with_flags(play, groups)


def play(
    words: Words = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Send it to icecast://user:password@host:port/mount instead of speakers."),
    ] = None,
    speakers: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Part of the name of the sound output; absent: the default.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", "-s", metavar="SECONDS", help="Length; absent: until Ctrl-C.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="NUMBER", help="Random seed; drawn and printed if absent.")
    ] = None,
    engine: Annotated[
        str, typer.Option(metavar="TEXT", help="Engine that makes the music; see lullwave engines.")
    ] = DEFAULT_ENGINE,
    kbps: Kbps = DEFAULT_KBPS,
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Any option of the engine; may be repeated.")
    ] = None,
    quiet: Quiet = False,
    *,
    load_options: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """Play music on this machine's speakers (extra 'play'), or send it to a mount of an Icecast server."""
    with called({"duration_s": "--seconds", "seed": "--seed", "to": "--to", "speakers": "--speakers"}):
        address = IcecastAddress.parse(to) if to is not None else None
        kind = engine_class(engine)
        pairs = parse_pairs(option or (), kind.options)
        build_options(kind.options, pairs, where="--option ")
        request = Request(prompt_of(words), random_seed() if seed is None else seed, seconds, {**options, **pairs})
        console = Console(stderr=True, quiet=quiet)
        with load_engine(engine, **load_options) as loaded, loaded.stream(request) as stream:
            music = _Music(stream)
            ahead = ReadAhead(music.blocks())
            try:
                if address is None:
                    _tell(console, f"seed {request.seed}; Ctrl-C stops")
                    waits = play_on_speakers(_announced(ahead, music, console), speakers)
                    if waits:
                        _tell(console, f"the speakers waited for the engine {waits} times: it is too slow here")
                else:
                    _tell(console, f"{address}: seed {request.seed}; Ctrl-C stops")
                    name = request.prompt or "Lullwave"
                    push(
                        _parts(_announced(ahead, music, console), music, kbps),
                        lambda: IcecastSource(address, name, kbps),
                        SystemClock(),
                        lambda text: _tell(console, text),
                    )
            except KeyboardInterrupt:
                pass  # the way to end it
            finally:
                ahead.close()


class _Music:
    """The mastered blocks of a stream, and the title of the piece at its end. ``blocks`` runs on one thread."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._read = 0
        self.title = ""

    def blocks(self) -> Iterator[Audio]:
        seconds = math.inf if self._stream.request.duration_s is None else self._stream.request.duration_s
        return mastered(self._noted(), seconds)

    def _noted(self) -> Iterator[Audio]:
        for block in of_stream(self._stream):
            for mark in self._stream.marks(self._read, self._stream.position):
                if mark.kind == "piece" and mark.data.get("title"):
                    self.title = str(mark.data["title"])
            self._read = self._stream.position
            yield block


def _announced(blocks: ReadAhead, music: _Music, console: Console) -> Iterator[Audio]:
    """Pass the blocks on; print each new title."""
    told = ""
    for block in blocks:
        if music.title != told:
            told = music.title
            _tell(console, f"Title: {told}")
        yield block


def _parts(blocks: Iterator[Audio], music: _Music, kbps: int) -> Iterator[Part]:
    """The blocks as MP3, with the title of each."""
    encoder: StreamEncoder | None = None
    first = next(blocks, None)
    if first is None:
        return
    rate = rate_for("mp3", first.rate)

    def all_blocks() -> Iterator[Audio]:
        yield first
        yield from blocks

    for block in resampled(all_blocks(), rate):
        encoder = encoder or StreamEncoder("mp3", rate, block.channels, None, kbps)
        yield Part(encoder.encode(block), block.duration_s, music.title)
    if encoder is not None:
        yield Part(encoder.flush(), 0.0)


def _tell(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
