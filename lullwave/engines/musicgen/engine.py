"""The MusicGen engine: one checkpoint, many songs; knows nothing of stations and servers."""

from __future__ import annotations

import hashlib
import math
import weakref
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from ... import checkpoints
from ...audio import Audio
from ...device import apart, choose_device, free_bytes, set_threads
from ...errors import CheckpointError, EngineError, InvalidInput, SnapshotError
from ...options import build
from ...prompt import Prompt
from ...request import Request
from ..base import Engine, Understanding
from . import snapshot as snapshots
from .attention import Cache
from .audio_prompt import Listener
from .chunk_decoder import SoundMaker
from .codec import CodecDecoder
from .conditioner import Conditioner, understood
from .config import FRAME_RATE, Shape
from .decoder import Decoder
from .hf_logging import quiet_transformers
from .huge_pages import large_pages
from .linear import int8_available
from .options import LoadOptions, MusicGenFacts, MusicOptions
from .prefill import Prefill
from .prompt_schedule import Program
from .sampling import Sampling
from .scheduler import Scheduler
from .song import KEPT_S, Point, Song
from .stepper import LaneStepper, StaticStepper, Stepper
from .stream import MusicGenStream
from .text_encoder import MAX_TOKENS, TextEncoder
from .weights import Weights

_DTYPES = {"int8": torch.int8, "bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


class MusicGenEngine(MusicGenFacts, Engine):
    """MusicGen in all published shapes (small, medium, large, stereo, melody) and fine-tunes of them."""

    rewindable_s = KEPT_S

    def __init__(self, **options: Any) -> None:
        """Load a checkpoint.

        Raises:
            CheckpointError, InvalidInput, MissingExtra, EngineError (not enough memory)
        """
        chosen = LoadOptions(**options)
        self.device = choose_device(chosen.device)
        dtype = _dtype(chosen.dtype, self.device)
        if chosen.threads is not None and self.device.type == "cpu":
            set_threads(chosen.threads)
        directory = checkpoints.locate(chosen.model, offline=chosen.offline)
        with quiet_transformers():
            apart(lambda: self._open(directory, dtype, chosen))

    def _open(self, directory: Path, dtype: torch.dtype, chosen: LoadOptions) -> None:
        self.shape = Shape.read(directory)
        self.rate, self.channels = self.shape.rate, self.shape.channels
        weights = Weights(directory)
        self._fingerprint = f"{_fingerprint(directory)} {str(dtype).removeprefix('torch.')} {self.device.type}"
        songs = self.reads_at_once = chosen.max_songs or (4 if self.device.type == "cpu" else 16)
        config = _config(directory)
        try:
            self._load(weights, config, dtype, songs, chosen)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise EngineError(f"{chosen.model} does not fit into the memory of {self.device}: {error}") from None

    def _load(self, weights: Weights, config: Any, dtype: torch.dtype, songs: int, chosen: LoadOptions) -> None:
        shape, device = self.shape, self.device
        with torch.inference_mode():
            with large_pages() if device.type == "cpu" else nullcontext():
                self.decoder = Decoder(shape, weights, device, dtype)
            state = self.decoder.state_dtype
            self._text = TextEncoder(shape, weights, config.text_encoder, device, state)
            sound_dtype = torch.float32 if dtype == torch.float32 else torch.bfloat16
            codec = CodecDecoder(weights, config.audio_encoder, device, sound_dtype, compact=dtype == torch.int8)
        self._listener = Listener(shape, weights, config.audio_encoder, device)
        conditioner = Conditioner(self.decoder, self._text, weights)
        length = _positions(shape)
        slots = 2 * songs  # windows overlap: the next one is filled while the last plays
        _check_room(Cache.bytes_per_slot(shape, length, state) * slots, device, songs)
        with torch.inference_mode():
            self._cache = Cache(shape, slots, length, state, device)
            stepper: Stepper = (
                LaneStepper(self.decoder, self._cache)
                if device.type == "cpu"
                else StaticStepper(self.decoder, self._cache, chosen.deterministic)
            )
            self._sounds = SoundMaker(codec, shape)
        threads = torch.get_num_threads()

        def set_up_thread() -> None:
            if device.type == "cpu":
                set_threads(threads)  # a new thread begins with the library's own idea of it
            elif device.type == "cuda":
                torch.cuda.set_device(device)

        prefill = Prefill(self.decoder, self._cache, conditioner)
        self.scheduler = Scheduler(stepper, prefill, self._sounds, self._cache, device.type != "cpu", set_up_thread)
        self._finalizer = weakref.finalize(self, self.scheduler.close)  # also when the program ends

    def open(self, request: Request, **audio_prompts: Audio) -> MusicGenStream:
        """Begin a song.

        ``continue_from``: the song goes on from the end of this audio (its last 12 s are listened to).
        ``melody``: its tune is followed, by checkpoints that can.
        """
        continue_from, melody = audio_prompts.get("continue_from"), audio_prompts.get("melody")
        chosen = build(MusicOptions, request.options, "options.")
        apart(lambda: self._text(request.prompt))  # refuses what cannot be encoded
        song = Song(
            self.shape,
            Program.within(request.prompt, chosen.window_s),
            Sampling(chosen.guidance, chosen.temperature, chosen.top_k, chosen.top_p),
            request.seed,
            self._sounds.lookahead,
            melody=None if melody is None else apart(lambda: self._listener.chroma(melody)),
        )
        if continue_from is not None:
            tokens, song.points[0] = apart(lambda: self._listened(continue_from))
            song.begin_with(tokens)
        if request.duration_s is not None:
            song.total = song.origin + math.ceil(request.duration_s * FRAME_RATE)
        self.scheduler.join(song)
        return self._streaming(request, song, 0)

    def restore(self, snapshot: bytes) -> MusicGenStream:
        meta = snapshots.header_of(snapshot)
        if meta.get("model") != self._fingerprint:
            raise SnapshotError(
                f"the snapshot is of model {meta.get('model')!r}; loaded is {self._fingerprint!r} (weights, precision "
                "and kind of device must be the same)"
            )
        song = snapshots.unpack(snapshot, self.shape, self._sounds.lookahead)
        try:
            request = Request(**meta["request"])
            at = int(meta["at_frame"])
        except (KeyError, TypeError, ValueError) as error:
            raise SnapshotError(f"the snapshot is damaged: {error!r}") from None
        self.scheduler.join(song)
        return self._streaming(request, song, at)

    def understand(self, prompt: str) -> Understanding:
        parsed = Prompt.parse(prompt)
        found = apart(lambda: self._text(prompt))
        words = parsed.text or "the engine's own choice"
        text = f"plays {words}" + (f"; avoids {parsed.avoid_text}" if parsed.avoid else "")
        return Understanding(text, {"tokens": understood(found), "parts": [part.text for part in parsed.parts]})

    def close(self) -> None:
        self._finalizer()

    @torch.inference_mode()
    def _listened(self, audio: Audio) -> tuple[torch.Tensor, Point]:
        """What a song begins with that continues ``audio``: tokens (K, n), and the codec after them."""
        tokens = self._listener.tokens(audio)
        return tokens, self._sounds.primed(tokens)

    def _streaming(self, request: Request, song: Song, position: int) -> MusicGenStream:
        return MusicGenStream(request, song, self.scheduler, self.shape, self._fingerprint, self.understand, position)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        if device.type == "cpu":
            return torch.int8 if int8_available() else torch.float32
        return torch.bfloat16 if device.type == "cuda" else torch.float16
    if name == "int8" and (device.type != "cpu" or not int8_available()):
        raise InvalidInput("dtype", name, f"bfloat16, float16 or float32 on {device} (int8 is for x86 CPUs)")
    return _DTYPES[name]


def _positions(shape: Shape) -> int:
    """Positions of a slot: a window, what stands before it, and one that nobody reads; a multiple of 8."""
    before = shape.chroma_frames + MAX_TOKENS if shape.melody else 0
    return -(-(Program("").length + max(shape.delays) + 2 + before) // 8) * 8


def _check_room(wanted: int, device: torch.device, songs: int) -> None:
    free = free_bytes(device)
    if free is not None and wanted > free:
        raise EngineError(
            f"{songs} songs at once need {wanted / 1e9:.1f} GB of {device} memory for what the model remembers of "
            f"them; {free / 1e9:.1f} GB are free; set max_songs to {max(1, int(songs * free * 0.9 / wanted))}"
        )


def _config(directory: Path) -> Any:
    import transformers

    try:
        return transformers.AutoConfig.from_pretrained(directory, local_files_only=True)
    except Exception as error:  # the library's validators raise kinds of their own
        raise CheckpointError(f"{directory}/config.json is damaged: {error}; pull the model again") from None


def _fingerprint(directory: Path) -> str:
    """A name for these weights: of the configuration, and of the beginning of each file of weights with its size."""
    digest = hashlib.sha256((directory / "config.json").read_bytes())
    for file in sorted([*directory.glob("*.safetensors"), *directory.glob("*.bin")]):
        digest.update(f"{file.name} {file.stat().st_size}".encode())
        with file.open("rb") as opened:
            digest.update(opened.read(1 << 20))
    return digest.hexdigest()[:16]
