"""An intent is saved and restored, and keeps the saved form of earlier versions."""

import json

import pytest

from lullwave.engines.synth.prompts.intent import Avoided, Intent
from lullwave.engines.synth.prompts.parser import read_intent
from lullwave.engines.synth.theory import Key


def saved(intent):
    return json.loads(json.dumps(intent.to_json()))


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "no drums, no electric piano",
        "not jazz, no brushes, not in Bb minor, rain",
        "half-time, 72 bpm, flute, 70% jazz",
    ],
)
def test_an_intent_is_the_same_after_saving(prompt):
    intent = read_intent(prompt)[0]
    assert Intent.of_json(saved(intent)) == intent


def test_what_is_avoided_is_saved_as_strings_with_prefixes():
    avoid = Avoided(("drums", "rain"), ("jazz",), ("brushes",), (Key(0, False), Key(6, True)))
    strings = ["drums", "rain", "style jazz", "kit brushes", "key C major", "key F# minor"]
    assert saved(Intent(avoid=avoid))["avoid"] == strings
    assert Avoided.of_strings(strings) == avoid
    assert Avoided.of_strings(["style jazz", "drums", "key C major", "rain", "kit brushes", "key F# minor"]) == avoid


def test_each_kind_of_thing_is_avoided_by_itself():
    avoid = read_intent("not jazz, no brushes, no drums, not in C major")[0].avoid
    assert avoid == Avoided(("drums",), ("jazz",), ("brushes",), (Key(0, False),))


def test_a_later_prompt_asks_again_for_what_was_avoided():
    before = read_intent("no flute, not jazz, no brushes, not in C major")[0]
    after = read_intent("add flute and jazz, no rain")[0].after(before)
    assert after.avoid == Avoided(("rain",), (), ("brushes",), (Key(0, False),))
