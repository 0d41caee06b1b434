"""The words that listeners choose from mean what their kind says."""

from __future__ import annotations

import pytest

from lullwave.engines.synth.catalogue.instruments import INSTRUMENTS
from lullwave.engines.synth.engine import SynthEngine
from lullwave.engines.synth.prompts.explanation import understand

WORDS = SynthEngine.vocabulary()
FIELDS = {  # kind → the fields of the data one of which a word must set
    "style": ("styles",),
    "instrument": ("instruments",),
    "mood": ("moods",),
    "weather": ("ambience",),
    "tempo": ("tempo_bpm", "moods"),
    "metre": ("metre", "feel"),
}


@pytest.mark.parametrize("kind", FIELDS)
def test_each_word_alone_is_understood_as_its_kind(kind):
    assert len(WORDS[kind]) >= 5
    for word in WORDS[kind]:
        meant = understand(word)
        assert meant.recognised
        assert meant.ignored == ()
        assert any(meant.understood[field] for field in FIELDS[kind]), word


def test_every_instrument_can_be_chosen_and_no_two_words_mean_the_same():
    chosen = [understand(word).understood["instruments"] for word in WORDS["instrument"]]
    assert sorted(name for names in chosen for name in names) == sorted(INSTRUMENTS)
    for kind, words in WORDS.items():
        meanings = [understand(word).text for word in words]
        if kind in ("style", "instrument", "weather", "tempo", "metre"):  # moods may round to the same words
            assert len(set(meanings)) == len(meanings)
