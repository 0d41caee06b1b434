"""Attacks out of silence: no click by the metric, whoever plays, however hard, wherever the metric's frames begin."""

import numpy as np
import pytest

from bench.embedded.estimators import clicks
from lullwave.audio import Audio
from lullwave.engines.synth.catalogue.drums import DRUMS, KITS
from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS
from lullwave.engines.synth.catalogue.productions import PRODUCTIONS
from lullwave.engines.synth.engine import SynthEngine
from lullwave.engines.synth.options import SynthOptions
from lullwave.engines.synth.programme import Programme
from lullwave.engines.synth.score import LOOKAHEAD_S, RATE, Bar, Hit, Mix, Note, Track
from lullwave.engines.synth.sound.effects import tape
from lullwave.engines.synth.sound.instruments.cache import SoundCache
from lullwave.engines.synth.sound.renderer import Renderer, RendererState
from lullwave.engines.synth.writing import mixing
from lullwave.mastering import Master
from lullwave.mastering.loudness import loudness_lufs
from lullwave.request import Request

CACHE = SoundCache(60_000_000)
CHORDS = [name for name, one in INSTRUMENTS.items() if "keys" in one.roles and one.lowest <= 52]
TUNES = [name for name, one in INSTRUMENTS.items() if "lead" in one.roles]
AT_S = 0.6


LOUDEST = {  # of each setting of the drum bus, the most that a production asks for
    "drums_attack_db": max(one.attack_db for one in PRODUCTIONS.values()),
    "drums_parallel": max(one.parallel for one in PRODUCTIONS.values()),
    "drums_air_db": max(one.air_db for one in PRODUCTIONS.values()),
    "drums_db": mixing.mix_drums_db(max(one.drums_db for one in PRODUCTIONS.values()), energy=1.0),
}


def rendered(notes=(), hits=(), instrument="rhodes", kit="dusty"):
    """1.4 seconds of music of which the first 600 ms are silence, without crackle and hiss."""
    track = Track(instrument, pan=0.1, **vars(INSTRUMENTS[instrument].seat))
    mix = Mix({"keys": track}, kit=kit, crackle_db=-120.0, hiss_db=-120.0, **LOUDEST)
    bar = Bar(0, round(1.4 * RATE), 4, tuple(notes), tuple(hits), mix, (), 0, 1, "A", 80.0)
    return Renderer(1, CACHE).render(bar)


def as_loud_as_music(samples):
    """At -15 LUFS, as if a programme were nothing but this (at most 6 dB louder than it was)."""
    gain_db = -15.0 - loudness_lufs(Audio(samples[round(AT_S * RATE) :], RATE))
    return samples * np.float32(10 ** (min(6.0, gain_db) / 20))


def clicks_of(samples):
    """At seven alignments of the metric's frames."""
    return [at for shift in range(0, 882, 126) for at in clicks(samples[shift:], RATE)]


@pytest.mark.parametrize("instrument", CHORDS)
@pytest.mark.parametrize("velocity", [0.6, 0.9])
@pytest.mark.parametrize("low", [52, 67])
def test_a_chord_out_of_silence_does_not_click(instrument, velocity, low):
    chord = [Note("keys", AT_S + 0.012 * k, 1.0, low + p, velocity) for k, p in enumerate((0, 3, 7, 10))]
    assert clicks_of(as_loud_as_music(rendered(chord, instrument=instrument))) == []


@pytest.mark.parametrize("instrument", TUNES)
@pytest.mark.parametrize("pitch", [72, 84])
def test_a_high_note_out_of_silence_does_not_click(instrument, pitch):
    note = Note("keys", AT_S, 1.0, pitch + INSTRUMENTS[instrument].octaves(72, 84), 0.9)
    assert clicks_of(as_loud_as_music(rendered([note], instrument=instrument))) == []


@pytest.mark.parametrize("instrument", TUNES)
@pytest.mark.parametrize("pitch", [67, 77, 84])
def test_a_loud_note_over_a_dark_chord_does_not_click(instrument, pitch):
    """As what is named plays where drums hold its highs back least, in 16 bits, whose noise hides no prediction."""
    kind = INSTRUMENTS[instrument]
    seat = {**vars(kind.seat), "level_db": kind.seat.level_db + 2.5, "highs_db": -4.0}
    tracks = {"pad": Track("pad", **vars(INSTRUMENTS["pad"].seat)), "lead": Track(instrument, pan=0.1, **seat)}
    notes = [Note("pad", 0.1, 1.2, low, 0.6) for low in (46, 53, 57, 62)]
    notes.append(Note("lead", AT_S, 1.0, pitch + kind.octaves(67, 84), 0.9))
    mix = Mix(tracks, kit="dusty", crackle_db=-120.0, hiss_db=-120.0)
    samples = Renderer(1, CACHE).render(Bar(0, round(1.4 * RATE), 4, tuple(notes), (), mix, (), 0, 1, "A", 80.0))
    assert clicks_of(np.rint(samples * 10 ** (0.5 / 20) * 2**15) / 2**15) == []


@pytest.mark.parametrize("kit", KITS)
@pytest.mark.parametrize("drum", DRUMS)
def test_a_stroke_out_of_silence_does_not_click(kit, drum):
    samples = rendered(hits=[Hit(drum, AT_S, 0.9)], kit=kit)
    assert clicks_of(samples * np.float32(10 ** (2 / 20))) == []


@pytest.mark.parametrize("kit", KITS)
def test_no_stroke_over_a_dark_chord_clicks(kit):
    chord = [Note("keys", 0.1, 1.2, pitch, 0.6) for pitch in (46, 53, 57, 62)]
    for drum in DRUMS:
        samples = rendered(chord, [Hit(drum, AT_S, 0.6)], instrument="pad", kit=kit)
        assert clicks_of(samples * np.float32(10 ** (2 / 20))) == [], drum


@pytest.mark.parametrize("kit", KITS)
@pytest.mark.parametrize("backbeat", ["snare", "rim", "clap", "brush_tap"])
@pytest.mark.parametrize("cymbals", [("hat",), ("ride", "pedal_hat")])
def test_strokes_together_over_a_dark_chord_do_not_click(kit, backbeat, cymbals):
    chord = [Note("keys", 0.1, 1.2, pitch, 0.6) for pitch in (46, 53, 57, 62)]
    hits = [Hit(drum, AT_S + late_s, 0.75) for drum, late_s in ((backbeat, 0.006), ("kick", 0.0))]
    hits += [Hit(drum, AT_S + 0.005 + 0.003 * n, 0.6) for n, drum in enumerate(cymbals)]
    samples = rendered(chord, hits, instrument="pad", kit=kit)
    assert clicks_of(samples * np.float32(10 ** (2 / 20))) == []


@pytest.mark.parametrize("drum", ["kick", "tom_low"])
def test_a_low_hand_drum_over_rain_does_not_click(drum):
    """Rain is bright, so what rises below it stands out of what the metric expects."""
    mix = Mix({}, kit="hand", crackle_db=-120.0, hiss_db=-120.0, ambience_lufs={"rain": -33.0}, drums_db=2.0)
    hits = tuple(Hit(drum, AT_S + 0.5 * n, 0.7) for n in range(4))
    samples = Renderer(1, CACHE).render(Bar(0, 3 * RATE, 4, (), hits, mix, (), 0, 1, "A", 80.0))
    assert clicks_of(samples) == []


def test_claps_of_a_bright_production_do_not_click():
    """Over brass, as they are played again and again in a piece of a long programme."""
    programme = Programme(Request(prompt="", seed=77), SynthOptions(crackle=False))
    bars = []
    while (bar := programme.next_bar()).piece <= 8:
        if bar.piece == 8 and 12 <= bar.bar < 18:
            bars.append(bar)
    assert any(hit.drum == "clap" for bar in bars for hit in bar.hits)
    frame = bars[0].start_frame
    renderer = Renderer(77, CACHE, RendererState(frame=frame, music=(frame - round(LOOKAHEAD_S * RATE)) // 2))
    assert clicks_of(np.concatenate([renderer.render(bar) for bar in bars])[RATE:]) == []


@pytest.mark.parametrize(
    ("prompt", "seed"),
    [
        ("rainy night piano", 5),
        ("by the fire", 5),
        ("ocean waves, no drums", 5),
        ("surf shack, clean electric guitar, sunny", 1),
        *((f"{one}, no drums", 3) for one in ("banjo", "harpsichord", "marimba", "koto", "nylon guitar", "kalimba")),
    ],
)
def test_the_beginning_of_a_stream_does_not_click(prompt, seed):
    request = Request(prompt=prompt, seed=seed, options={"crackle": False})
    with SynthEngine() as engine, engine.stream(request) as stream:
        begun = Master(RATE, 2).process(stream.read(RATE)).samples
    assert clicks_of(begun) == []


def test_the_head_keeps_the_music_and_takes_the_top():
    def heard_db(hz):
        wave = np.sin(2 * np.pi * hz * np.arange(20000) / RATE).astype(np.float32)
        heard = tape.playback_head(np.stack([wave, wave]))
        assert heard.shape == (2, 20000 - 2 * tape.HEAD_REACH)
        return 10 * np.log10(np.mean(np.square(heard[0])) / 0.5)

    for hz in (50, 1000, 5000):
        assert heard_db(hz) == pytest.approx(0.0, abs=0.05)
    assert -1.2 < heard_db(7500) < -0.4
    for hz in (11500, 15000, 20000):
        assert heard_db(hz) < -25


def test_the_head_is_in_time():
    pulse = np.zeros((2, 101), np.float32)
    pulse[:, 50] = 1.0
    assert np.argmax(tape.playback_head(pulse)[0]) == 50 - tape.HEAD_REACH
