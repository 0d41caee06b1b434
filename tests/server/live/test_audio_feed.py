"""The low bit rate is the same sound at the same station frames, and exists only while somebody listens."""

import asyncio
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from lullwave.codecs import decode, mp3_frames
from lullwave.codecs.mp3 import Mp3Header
from lullwave.server.live.audio_feed import LOW_KBPS, LowFeed
from lullwave.settings import Settings
from lullwave.station import CHUNK_FRAMES, RATE

BEGIN = 1_000_000 - 441  # station frame of the first sample


def hum(frames: int) -> np.ndarray:
    """Noise below 2 kHz, (T, 2), which is like itself at no other lag."""
    spectrum = np.fft.rfft(np.random.default_rng(7).standard_normal(frames))
    spectrum[np.fft.rfftfreq(frames, 1 / RATE) > 2000] = 0
    wave = np.fft.irfft(spectrum, frames)
    return np.stack([wave, wave], axis=1).astype(np.float32) * np.float32(0.1 / wave.std())


def step(sound: np.ndarray, n: int) -> SimpleNamespace:
    part = sound[n * CHUNK_FRAMES : (n + 1) * CHUNK_FRAMES]
    return SimpleNamespace(mastered=part, mastered_frame=BEGIN + n * CHUNK_FRAMES)


def likeness(heard: np.ndarray, sound: np.ndarray, frame: int, lag: int = 0) -> float:
    """Correlation of decoded sound with the original from station frame ``frame + lag`` on."""
    at = frame + lag - BEGIN
    skip = max(0, -at) + 4000
    part = heard[skip : skip + 4 * RATE]
    return float(np.corrcoef(part, sound[at + skip : at + skip + len(part), 0])[0, 1])


async def published() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_the_low_bit_rate_is_the_same_sound_at_the_same_frames(tmp_path):
    sound = hum(30 * CHUNK_FRAMES)

    async def scenario() -> None:
        low = LowFeed(Settings(data_dir=tmp_path), lambda: None)
        for n in range(10):
            low.add(step(sound, n))
        assert not low.active
        with low.listening() as feed:
            low.add(step(sound, 10))
            await published()
            assert feed.chunks.end == 6  # the burst of three seconds at once
            for n in range(11, 24):
                low.add(step(sound, n))
            await published()
            chunks = feed.chunks.items(0)
            assert [chunk.number for chunk in chunks] == list(range(19))
            assert {Mp3Header.parse(frame).kbps for c in chunks for frame in mp3_frames(c.data)} == {LOW_KBPS}
            assert all(b.frame == a.frame + a.frames for a, b in pairwise(chunks))
            whole = decode(b"".join(chunk.data for chunk in chunks)).samples[:, 0]
            first = chunks[0].frame
            assert likeness(whole, sound, first) > 0.95
            assert max(likeness(whole, sound, first, lag) for lag in (-1152, -529, 529, 1152)) < 0.5
            with low.listening() as again:
                assert again is feed
                joined = [chunk for chunk in chunks if chunk.number >= again.burst_start()]
                begin = joined[0].frame - joined[0].lead_frames
                data = joined[0].lead + b"".join(chunk.data for chunk in joined)
                late = decode(data).samples[:, 0]
                settled = joined[0].lead_frames + 2 * 1152
                begun = begin + settled - first
                rest = late[settled:]
                assert rest == pytest.approx(whole[begun : begun + len(rest)], abs=1e-4)
            assert low.active
        assert not low.active
        assert feed.chunks.closed
        low.add(step(sound, 24))
        with low.listening() as fresh:
            low.add(step(sound, 25))
            await published()
            newest = fresh.chunks.newest()
            assert newest.number == 5
            assert 0 < BEGIN + 26 * CHUNK_FRAMES - (newest.frame + newest.frames) < CHUNK_FRAMES / 2  # what LAME holds

    asyncio.run(scenario())
