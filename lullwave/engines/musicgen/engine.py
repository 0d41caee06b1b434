"""The MusicGen engine: plays many songs with one checkpoint."""

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
from ...device import check_fits, choose_device, free_bytes, has_fast_bfloat16, run_on_new_thread, set_threads
from ...errors import CheckpointError, EngineError, InvalidInput, SnapshotError
from ...options import build
from ...prompt import Prompt
from ...request import Request
from ..base import Engine, Understanding
from ..comparison import Comparison, compared
from ..linear import int8_available
from ..networks import return_memory
from . import snapshot as snapshots
from .audio_prompt import AudioPromptEncoder
from .chunk_decoder import ChunkDecoder
from .conditioner import Conditioner, token_count
from .cuda_graphs import record
from .model import fused_step
from .model.attention import StepDecoder
from .model.codec import CodecDecoder
from .model.config import FRAME_RATE, ModelConfig
from .model.decoder import Decoder
from .model.graphed_codec import GraphedCodec
from .model.grouped_int4 import FOUR_BITS
from .model.huge_pages import huge_pages
from .model.kv_cache import BLOCK, NIBBLES, KVCache
from .model.native_codec import NativeLayers
from .model.native_decoder import NativeDecoder, unfit
from .model.text_encoder import MAX_TOKENS, TextEncoder
from .model.weights import Weights, check_format, quiet_transformers
from .native import choose_native
from .options import LoadOptions, MusicGenFacts, MusicOptions
from .prefill import Prefill
from .prompt_schedule import OVERLAP, OVERLAP_ON_CPU, PromptSchedule
from .sampling import Sampling
from .scheduler import Scheduler
from .song import CHUNK, KEPT_S, CodecPoint, Song
from .stepper import GraphStepper, RaggedStepper, Stepper
from .stream import MusicGenStream

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
        native = choose_native(chosen.backend, self.device.type, chosen.dtype, chosen.kv_dtype)
        dtype = torch.int8 if native is not None else _dtype(chosen.dtype, self.device)
        if chosen.threads is not None and self.device.type == "cpu":
            set_threads(chosen.threads)
        directory = checkpoints.locate(chosen.model, offline=chosen.offline)
        with quiet_transformers():
            run_on_new_thread(lambda: self._open(directory, dtype, native, chosen))

    def _open(self, directory: Path, dtype: torch.dtype, native: Any, chosen: LoadOptions) -> None:
        check_format(directory)
        self._directory = directory
        self.config = ModelConfig.read(directory)
        self.rate, self.channels = self.config.rate, self.config.channels
        if native is not None and (size := unfit(self.config)):
            if chosen.backend == "native" or "int4" in (chosen.dtype, chosen.kv_dtype):
                raise EngineError(f"backend native and int4 take sizes that are multiples of 16; {size}")
            native, dtype = None, _dtype(chosen.dtype, self.device)
        weights = Weights(directory)
        self._fingerprint = f"{_fingerprint(directory)} {str(dtype).removeprefix('torch.')} {self.device.type}"
        if native is not None:
            self._fingerprint += " native int4" if chosen.dtype == "int4" else " native"
        kept = _kept(chosen, native is not None)
        if kept is not None:
            self._fingerprint += " kv4" if kept == NIBBLES else " kv8"
        files = [*directory.glob("*.safetensors")] or [*directory.glob("*.bin")]
        stored = sum(file.stat().st_size for file in files)
        check_fits(chosen.model, stored, stored * dtype.itemsize / 4, self.device)  # published in 32 bits
        songs = self.reads_at_once = chosen.max_songs or (4 if self.device.type == "cpu" else 16)
        hf_config = _hf_config(directory)
        try:
            self._load(weights, hf_config, dtype, native, songs, kept, chosen)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise EngineError(f"{chosen.model} does not fit into the memory of {self.device}: {error}") from None

    def _load(
        self,
        weights: Weights,
        hf_config: Any,
        dtype: torch.dtype,
        native: Any,
        songs: int,
        kept: torch.dtype | None,
        chosen: LoadOptions,
    ) -> None:
        config, device = self.config, self.device
        with torch.inference_mode():
            self.decoder: StepDecoder
            if native is not None:
                four_bits = FOUR_BITS if chosen.dtype == "int4" else frozenset()
                self.decoder = NativeDecoder(
                    native, config, weights, chosen.threads, chosen.pin_threads, four_bits=four_bits
                )
            else:
                with huge_pages() if device.type == "cpu" else nullcontext():
                    self.decoder = Decoder(config, weights, device, dtype)
            return_memory()
            if isinstance(self.decoder, NativeDecoder):
                layers = NativeLayers(native, self.decoder.threads, chosen.pin_threads)
                codec = CodecDecoder(weights, hf_config.audio_encoder, device, torch.float32, layers=layers)
            else:
                sound, compact = _sound_dtype(dtype, device), dtype == torch.int8 and device.type == "cpu"
                codec = CodecDecoder(weights, hf_config.audio_encoder, device, sound, compact=compact)
            weights.close()
            return_memory()
            self._text = TextEncoder(config, weights, hf_config.text_encoder, device, self.decoder.state_dtype)
        self._audio_encoder = AudioPromptEncoder(config, weights, hf_config.audio_encoder, device)
        conditioner = Conditioner(self.decoder, self._text, weights)
        length = _positions(config)
        slots = 2 * songs  # windows overlap: the next one is filled while the current one plays
        if kept is None:
            kept = self.decoder.cache_dtype
        _check_room(KVCache.bytes_per_slot(config, length, kept) * slots, device, songs)
        with torch.inference_mode():
            self._cache = KVCache(config, slots, length, kept, device)
            stepper: Stepper
            if device.type != "cpu" and isinstance(self.decoder, Decoder):
                fuses = device.type == "cuda" and chosen.backend == "auto"
                fused = fused_step.checked(self.decoder, self._cache) if fuses else None
                stepper = GraphStepper(self.decoder, self._cache, chosen.deterministic, fused)
            else:
                stepper = RaggedStepper(self.decoder, self._cache, native)
            threads = torch.get_num_threads()
            graphed = GraphedCodec(codec, CHUNK, record) if device.type == "cuda" else codec
            self._chunk_decoder = ChunkDecoder(graphed, config)

        def set_up_thread() -> None:
            if device.type == "cpu":  # torch sets the thread count per thread
                set_threads(1 if native is not None else threads)  # a second team would take cores from the kernels'
            elif device.type == "cuda":
                torch.cuda.set_device(device)

        prefill = Prefill(self.decoder, self._cache, conditioner)
        self.scheduler = Scheduler(
            stepper, prefill, self._chunk_decoder, self._cache, device.type != "cpu", set_up_thread
        )
        self._finalizer = weakref.finalize(self, self.scheduler.close)  # also at interpreter exit

    def open(self, request: Request, **audio_prompts: Audio) -> MusicGenStream:
        """Begin a song.

        ``continue_from``: continue this audio; its last 12 s are used.
        ``melody``: follow the tune of this audio; needs a melody checkpoint.
        """
        continue_from, melody = audio_prompts.get("continue_from"), audio_prompts.get("melody")
        chosen = build(MusicOptions, request.options, "options.")
        share = OVERLAP_ON_CPU if self.device.type == "cpu" else OVERLAP
        overlap_s = chosen.window_s * share if chosen.overlap_s is None else chosen.overlap_s
        run_on_new_thread(lambda: self._text(request.prompt))  # raises PromptError if it is too long
        song = Song(
            self.config,
            PromptSchedule.for_window(request.prompt, chosen.window_s, overlap_s),
            Sampling(chosen.guidance, chosen.temperature, chosen.top_k, chosen.top_p),
            request.seed,
            self._chunk_decoder.lookahead,
            melody=None if melody is None else run_on_new_thread(lambda: self._audio_encoder.chroma(melody)),
        )
        if continue_from is not None:
            tokens, song.codec_points[0] = run_on_new_thread(lambda: self._encode_audio(continue_from))
            song.begin_with(tokens)
        if request.duration_s is not None:
            song.total = song.origin + math.ceil(request.duration_s * FRAME_RATE)
        self.scheduler.add(song)
        return self._streaming(request, song, 0)

    def restore(self, snapshot: bytes) -> MusicGenStream:
        meta = snapshots.header_of(snapshot)
        if meta.get("model") != self._fingerprint:
            raise SnapshotError(
                f"the snapshot is of model {meta.get('model')!r}, but {self._fingerprint!r} is loaded "
                "(weights, precision and kind of device must be the same)"
            )
        song = snapshots.unpack(snapshot, self.config, self._chunk_decoder.lookahead)
        try:
            request = Request(**meta["request"])
            at = int(meta["at_frame"])
        except (KeyError, TypeError, ValueError) as error:
            raise SnapshotError(f"the snapshot is damaged: {error!r}") from None
        self.scheduler.add(song)
        return self._streaming(request, song, at)

    def understand(self, prompt: str) -> Understanding:
        parsed = Prompt.parse(prompt)
        found = run_on_new_thread(lambda: self._text(prompt))
        words = parsed.text or "the engine's default prompt"
        text = f"plays {words}" + (f"; avoids {parsed.avoid_text}" if parsed.avoid else "")
        return Understanding(text, {"tokens": token_count(found), "parts": [part.text for part in parsed.parts]})

    def compare_with_reference(self) -> Comparison:
        from .reference import STEPS, logits

        kept = self._cache.dtype
        expected, made = run_on_new_thread(
            lambda: logits(self._directory, self.decoder, self.config, self.device, kept)
        )
        return compared(f"logits of {STEPS} steps", expected.float().cpu().numpy(), made.float().cpu().numpy())

    def close(self) -> None:
        self._finalizer()

    @torch.inference_mode()
    def _encode_audio(self, audio: Audio) -> tuple[torch.Tensor, CodecPoint]:
        """Encode audio to continue: its tokens (K, n) and the codec's state after them."""
        tokens = self._audio_encoder.tokens(audio)
        return tokens, self._chunk_decoder.prime(tokens)

    def _streaming(self, request: Request, song: Song, position: int) -> MusicGenStream:
        return MusicGenStream(request, song, self.scheduler, self.config, self._fingerprint, self.understand, position)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        if device.type == "cpu":
            return torch.int8 if int8_available() else torch.float32
        return torch.bfloat16 if device.type == "cuda" else torch.float16
    if name == "int8" and (device.type == "mps" or (device.type == "cpu" and not int8_available())):
        raise InvalidInput("dtype", name, f"bfloat16, float16 or float32 on {device} (int8: x86 CPUs and CUDA)")
    return _DTYPES[name]


def _kept(chosen: LoadOptions, native: bool) -> torch.dtype | None:
    """The dtype of the KV cache; None: the decoder's own, in floating point."""
    wanted = chosen.kv_dtype
    if wanted == "auto":
        wanted = "float" if not native else "int4" if chosen.dtype == "int4" else "int8"
    return {"int8": torch.int8, "int4": NIBBLES, "float": None}[wanted]


def _sound_dtype(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """That of the codec: on a CPU without instructions for bfloat16, its convolutions take ten times as long in it."""
    slow = device.type == "cpu" and not has_fast_bfloat16()
    return torch.float32 if slow or dtype == torch.float32 else torch.bfloat16


def _positions(config: ModelConfig) -> int:
    """Positions per slot: a window, its prefix, and a spare one for idle slots; rounded up to whole blocks."""
    before = config.chroma_frames + MAX_TOKENS if config.melody else 0
    return -(-(PromptSchedule("").length + max(config.delays) + 2 + before) // BLOCK) * BLOCK


def _check_room(wanted: int, device: torch.device, songs: int) -> None:
    free = free_bytes(device)
    if free is not None and wanted > free:
        raise EngineError(
            f"{songs} songs at once need {wanted / 1e9:.1f} GB of {device} memory for the KV cache; "
            f"{free / 1e9:.1f} GB are free; set max_songs to {max(1, int(songs * free * 0.9 / wanted))}"
        )


def _hf_config(directory: Path) -> Any:
    import transformers

    try:
        return transformers.AutoConfig.from_pretrained(directory, local_files_only=True)
    except Exception as error:  # the library's validators raise exceptions of many types
        raise CheckpointError(f"{directory}/config.json is damaged: {error}; pull the model again") from None


def _fingerprint(directory: Path) -> str:
    """Identify the weights by a hash of the configuration and of each weight file's size and first MiB."""
    digest = hashlib.sha256((directory / "config.json").read_bytes())
    for file in sorted([*directory.glob("*.safetensors"), *directory.glob("*.bin")]):
        digest.update(f"{file.name} {file.stat().st_size}".encode())
        with file.open("rb") as opened:
            digest.update(opened.read(1 << 20))
    return digest.hexdigest()[:16]
