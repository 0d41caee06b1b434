"""Steering, read from the samples: the beat goes on, the change is heard within two bars, nothing clicks."""

import numpy as np
import pytest

from bench.embedded.estimators import clicks
from lullwave.audio import Audio
from lullwave.engines.synth.engine import SynthEngine
from lullwave.mastering import Master
from lullwave.request import Request

RATE = 44100
START = "dusty lo-fi beat with rhodes and upright bass, 84 bpm"
AT_S, AFTER_S = 24, 16


def kick_phase(samples, beats):
    """Where within a beat (s) the low attacks lie, by the mean of the rise of energy below 150 Hz over ``beats``."""
    low = np.fft.rfft(samples.mean(axis=1))
    freqs = np.fft.rfftfreq(len(samples), 1 / RATE)
    low[(freqs > 150) | (freqs < 35)] = 0
    energy = np.square(np.fft.irfft(low, len(samples))).reshape(-1, 147).mean(axis=1)  # 300 values a second
    smooth = np.convolve(energy, np.hanning(9), "same")
    rising = np.maximum(np.diff(smooth, prepend=smooth[:1]), 0)
    length = round(np.median(np.diff(beats)) / 147)
    folds = [rising[round(b / 147) - 15 : round(b / 147) - 15 + length] for b in beats]
    return (np.argmax(np.sum([f for f in folds if len(f) == length], axis=0)) - 15) / 300


@pytest.fixture(
    scope="module", params=["bright synth lead, pads, no melody of piano", "more vibraphone, rainy night, darker"]
)
def heard(request):
    """The stream before the steer, what it would have played, what it played, and its beats after the steer."""
    with SynthEngine() as engine:
        asked = Request(prompt=START, seed=13, options={"crackle": False})
        stream = engine.stream(asked)
        before = stream.read(AT_S * RATE).samples
        other = stream.fork()
        stream.steer(request.param + ", 84 bpm", 2.0)
        steered, unsteered = (s.read(AFTER_S * RATE).samples for s in (stream, other))
        beats = np.array(stream.beats(0, stream.position))
        yield before, unsteered, steered, beats


def test_the_beat_goes_on_in_phase(heard):
    before, _, steered, beats = heard
    assert np.abs(np.diff(beats) / RATE - 60 / 84).max() < 1e-3
    cut = len(before)
    first = kick_phase(before, beats[(beats > 8 * RATE) & (beats < cut - RATE)])
    then = beats[(beats > cut + RATE) & (beats < cut + (AFTER_S - 1) * RATE)] - cut
    half = 60 / 84 / 2  # kicks and bass may be as strong off the beat as on it
    apart = (kick_phase(steered, then) - first + half / 2) % half - half / 2
    assert apart == pytest.approx(0.0, abs=0.02)


def test_the_change_is_heard_within_two_bars(heard):
    _, unsteered, steered, _ = heard
    bar = round(4 * 60 / 84 * RATE)
    third = slice(2 * bar, 3 * bar)
    change = np.sqrt(np.mean(np.square(steered[third] - unsteered[third])))
    assert change > 0.25 * np.sqrt(np.mean(np.square(unsteered[third])))
    mean, other = (
        np.log(np.mean(np.abs(np.fft.rfft(s[third].mean(axis=1)))[:20000].reshape(-1, 500), axis=1))
        for s in (steered, unsteered)
    )
    assert np.abs(mean - other).max() > 0.4  # the spectrum, not only the phases


def test_nothing_clicks(heard):
    before, _, steered, _ = heard
    master = Master(RATE, 2)
    samples = np.concatenate([before, steered])
    mastered = master.process(Audio(samples, RATE)).samples
    around = mastered[(AT_S - 3) * RATE : (AT_S + 8) * RATE]
    assert clicks(around, RATE) == []
