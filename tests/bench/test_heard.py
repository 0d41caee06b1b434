"""What the listener of the stations' benchmark counts: all of an endless MP3, however it is cut on its way."""

import numpy as np
import pytest

pytest.importorskip("av")

from bench.neural.station import Heard
from lullwave.audio import Audio
from lullwave.codecs.mp3 import Mp3Encoder, mp3_frames

RATE = 44100


def music(seconds, seed=0):
    noise = np.random.default_rng(seed).standard_normal((round(seconds * RATE), 2))
    return Audio((0.1 * noise).astype(np.float32), RATE)


def encoded(*parts):
    encoder = Mp3Encoder(RATE, 2, 192)
    return b"".join([encoder.encode(part) for part in parts] + [encoder.flush()])


def test_pieces_of_any_size_lose_nothing():
    data = encoded(music(4.0))
    heard, at, sizes = Heard(), 0, np.random.default_rng(1)
    while at < len(data):
        size = int(sizes.integers(1, 9000))
        heard.feed(data[at : at + size])
        at += size
    assert heard.seconds == pytest.approx(len(mp3_frames(data)) * 1152 / RATE)
    assert heard.silent_s == 0.0


def test_silent_seconds_are_counted():
    heard = Heard()
    heard.feed(encoded(music(2.0), Audio.silence(5 * RATE, RATE), music(2.0)))
    assert 3.0 < heard.silent_s < 5.0


def test_what_follows_a_lost_connection_is_decoded_by_itself():
    data, heard = encoded(music(2.0)), Heard()
    heard.feed(data[:10_007])  # ends within a frame
    before = heard.seconds
    heard.begin_again()
    heard.feed(data)
    assert heard.seconds - before == pytest.approx(len(mp3_frames(data)) * 1152 / RATE)
