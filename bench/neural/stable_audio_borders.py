"""Join error of endless streams: what changes at the borders of windows, beside what changes inside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FLUX_WINDOW, FLUX_HOP = 2048, 512  # samples
AROUND_S = 0.05  # seconds on each side of a border in which the largest change counts
WINDOWS = 40  # that are painted
WINDOW_S = 2.0  # of the windows of given latents
MUSIC_S = 120.0  # of the music whose latents are given
PERCENTILES = (50, 90, 99)


def border_rows(engine: Any, request: Any) -> list[dict[str, Any]]:
    """Rows of percentiles, on latents of a random model and on those of music that the embedded engine makes."""
    rows = []
    for name, (sound, borders) in (("random", _painted(engine, request)), ("music", _given(engine, request))):
        for what, changes in (("spectral flux", _flux(sound)), ("level, dB", _levels(sound))):
            at, inside = _beside(changes, borders, engine.rate)
            row: dict[str, Any] = {"what": f"{what}, {name} latents, {len(at)} borders"}
            for percentile in PERCENTILES:
                row[f"border p{percentile}"] = float(np.percentile(at, percentile))
                row[f"inside p{percentile}"] = float(np.percentile(inside, percentile))
            rows.append(row)
    return rows


Sound = npt.NDArray[np.float32]
Changes = npt.NDArray[np.float64]  # one for each FLUX_HOP samples


def _painted(engine: Any, request: Any) -> tuple[Sound, list[int]]:
    """A stream of the model, and the frames at which its windows begin."""
    with engine.stream(request) as stream:
        frames = round(WINDOWS * request.options["window_s"] * engine.rate)
        sound = stream.read(frames).samples
        lengths = stream._lengths
        starts, start = [], 0
        while (start := start + lengths.next(start, 0, None)[0]) * engine.hop < frames - engine.rate:
            starts.append(start * engine.hop)
        return sound, starts


def _given(engine: Any, request: Any) -> tuple[Sound, list[int]]:
    """Latents of music of the embedded engine, cut into windows and decoded as a stream."""
    import lullwave
    from lullwave.engines.stable_audio import snapshot
    from lullwave.engines.stable_audio.pipeline import Config, Encode, sound_of
    from lullwave.engines.stable_audio.stream import DECODED
    from lullwave.engines.stable_audio.track import Track
    from lullwave.engines.stable_audio.windows import Lengths
    from lullwave.engines.steers import Steer

    music = lullwave.generate("lively jazz with drums", seconds=MUSIC_S, seed=1).resample(engine.rate)
    latents = engine._queue.add(Encode(sound_of(music)), Config(), "music").result.result().numpy()
    step = round(WINDOW_S * engine.rate / engine.hop)
    track = Track([])
    for start in range(0, latents.shape[1], step):
        track.add(latents[:, start : start + step], 1)
    lengths = Lengths.of(24.0, 8.0, engine.rate / engine.hop, engine.lookahead)
    state = snapshot.State(engine.model, request, 0, lengths, 2, [Steer(0, "", 0.0)], track.windows, False)
    frames = (latents.shape[1] - engine.lookahead - DECODED) * engine.hop
    with engine.restore(snapshot.pack(state)) as stream:
        sound = stream.read(frames).samples
    borders = range(step * engine.hop, frames - engine.rate, step * engine.hop)
    return sound, list(borders)


def _flux(sound: Sound) -> Changes:
    """Rise of the magnitude spectrum from one frame to the next, as a share of its size."""
    mono = sound.mean(axis=1).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(mono, FLUX_WINDOW)[::FLUX_HOP]
    spectra = np.abs(np.fft.rfft(frames * np.hanning(FLUX_WINDOW), axis=1))
    rises = np.maximum(np.diff(spectra, axis=0), 0.0)
    return np.linalg.norm(rises, axis=1) / (np.linalg.norm(spectra[:-1], axis=1) + 1e-9)


def _levels(sound: Sound) -> Changes:
    """Difference of level between neighbouring frames, in dB."""
    power = np.square(sound.mean(axis=1), dtype=np.float64)
    frames = power[: len(power) // FLUX_HOP * FLUX_HOP].reshape(-1, FLUX_HOP).mean(axis=1)
    return np.abs(np.diff(10.0 * np.log10(frames + 1e-12)))


def _beside(changes: Changes, borders: list[int], rate: int) -> tuple[Changes, Changes]:
    """The largest change around each border, and around each place halfway between borders and a quarter beside it."""
    reach = max(1, round(AROUND_S * rate / FLUX_HOP))

    def largest(frame: float) -> float:
        middle = round(frame / FLUX_HOP)
        return float(changes[max(0, middle - reach) : middle + reach + 1].max())

    at = [largest(border) for border in borders]
    lengths = np.diff([0, *borders])
    inside = [
        largest(border - share * length)
        for border, length in zip(borders, lengths, strict=True)
        for share in (0.25, 0.5, 0.75)
    ]
    return np.array(at), np.array(inside)
