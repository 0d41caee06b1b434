"""The prompts, verdicts and table of the sound report."""

import numpy as np
import pytest

from bench.embedded import sound, sound_prompts
from bench.embedded.sound import Row, table


def test_the_prompts_are_as_many_and_as_different_as_the_report_says():
    prompts = [clip.prompt for clip in sound_prompts.CLIPS]
    assert len(set(prompts)) == len(prompts) == 30
    assert sum(not clip.beats for clip in sound_prompts.CLIPS) == 6
    assert len({prompt for prompt, _ in sound_prompts.NAMED_PROMPTS}) == 60


@pytest.mark.parametrize(
    ("instrument", "tag"),
    [
        ("nylon_guitar", "guitar"),
        ("harpsichord", "harpsichord"),
        ("concert_harp", "harp"),
        ("string_section", "strings"),
    ],
)
def test_instruments_have_the_taggers_word(instrument, tag):
    assert tag in sound_prompts.tags_of(instrument)


def test_an_instrument_that_the_tagger_has_no_word_for_is_left_out():
    assert sound_prompts.tags_of("vibraphone") == ()


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (0.5, 0.4, None, "pass"),
        (0.5, 0.6, None, "MISS"),
        (0.5, None, 0.4, "MISS"),
        (0.0, 0.0, 0.0, "pass"),
        (1, None, None, ""),
    ],
)
def test_verdict_of_a_bar(value, low, high, verdict):
    assert Row("clips", "x", value, low, high).verdict == verdict


def test_the_table_shows_an_earlier_run_beside():
    text = table(
        [Row("clips", "width", -9.0, -14.0, -8.0, (-10.0, -8.5), (-15.3, -11.4, -5.8))],
        [{"part": "clips", "figure": "width", "value": -7.5}],
    )
    assert "| width | -7.50 | -9.00 (-10.00, -8.50) | -15.3, -11.4, -5.8 | -14 to -8 | pass |" in text


def test_medians_are_taken_over_the_right_clips(monkeypatch):
    def ask(read, every):
        quiet = {clip.prompt for clip in sound_prompts.CLIPS if not clip.beats}
        figures = dict.fromkeys((*sound.RECORDED, "clicks"), 0.0)
        return [
            {
                "figures": figures | {"drums_db": -99.0 if prompt in quiet else -4.0},
                "tags": {"synth": 0.5, "piano": 0.1, "electronic": 0.3, "beat": 0.2, "drums": 0.2},
                "second": dict.fromkeys(sound.SECOND_TAGS, 0.1),
                "hidden": [float(n == len(prompt)) for n in range(60)],
            }
            for prompt, _, _ in every
        ]

    rows = {row.figure: row for row in sound.clips(ask, 30, (1,), 60.0)}
    assert rows["drums against harmony, dB"].spread == (-4.0, -4.0)  # ambient clips are left out
    assert rows["share heard as piano first, keys not asked for"].value == 0
    assert rows["tag piano, mean with drums"].verdict == "pass"


def test_what_all_clips_share_lowers_their_variety_but_not_that_about_their_mean():
    def variety(shared):
        def ask(read, every):
            return [
                {
                    "figures": dict.fromkeys((*sound.RECORDED, "clicks"), 0.0),
                    "tags": dict.fromkeys(sound.TAG_BARS, 0.1),
                    "second": dict.fromkeys(sound.SECOND_TAGS, 0.1),
                    "hidden": [shared, *(float(n == k) for k in range(30))],
                }
                for n in range(len(every))
            ]

        rows = sound.clips(ask, 30, (1,), 60.0)
        return [row.value for row in rows[-2:]]

    (raw, about), (shifted, shifted_about) = variety(0.0), variety(5.0)
    assert raw == pytest.approx(1.0)
    assert shifted < 0.1
    assert about == pytest.approx(shifted_about) == pytest.approx(29 / 30)


def test_readings_are_kept_until_code_changes(tmp_path, monkeypatch):
    from bench.embedded import sound_readings

    monkeypatch.setattr(sound_readings.renders, "_folder", lambda: tmp_path)
    calls = []

    def count(word):
        calls.append(word)
        return {"heard": word}

    assert sound_readings.kept(count, "harp") == sound_readings.kept(count, "harp") == {"heard": "harp"}
    assert calls == ["harp"]
    assert sound_readings.kept(count, "lute") == {"heard": "lute"}


def test_pops_of_two_channels_are_one_impulse():
    import numpy as np

    from bench.embedded.sound_readings import impulses

    t = np.arange(44100) / 44100
    clean = np.repeat(0.3 * np.sin(2 * np.pi * 220 * t)[:, None], 2, axis=1)
    assert impulses(clean, 44100) == 0
    clean[[10000, 30000]] += 0.2
    assert impulses(clean, 44100) == 2


def test_sequenced_phrases_are_for_synths_alone():
    from bench.embedded import sound_renders

    assert len(sound_renders.phrases_of("synth_lead")[1]) == 128
    assert len(sound_renders.phrases_of("upright_bass")[2]) == 16
    assert sound_renders.phrases_of("synth_bass")[1] == sound_renders._LEAPING
    assert sound_renders.phrases_of("felt_piano")[1] == sound_renders._HELD


def test_a_solo_is_finite_and_as_loud_as_any_other():
    from bench.embedded import sound_renders

    samples = sound_renders._solo("flute", ((0, 4, 0),), 72)
    assert np.isfinite(samples).all()
    assert np.sqrt(np.mean(np.square(samples))) == pytest.approx(0.1, rel=1e-3)
