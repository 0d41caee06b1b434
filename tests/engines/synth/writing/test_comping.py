"""The strikes of a chord: in their places, and a strike that is left out leaves no hole."""

import pytest

from lullwave.engines.synth.chance import Chance
from lullwave.engines.synth.theory import Chord
from lullwave.engines.synth.writing.comping import OPEN, STYLES, write_keys
from lullwave.engines.synth.writing.event import VoicedChord

CHORDS = [VoicedChord(4.0 * n, 4.0, Chord(0, "maj9"), (52, 55, 59, 62), False) for n in range(60)]


@pytest.mark.parametrize("style", OPEN)
def test_what_is_left_out_is_filled_by_the_strike_before(style):
    beats = [strike[0] for strike in STYLES[style]]
    usual = {beat: length for beat, length, _, _ in STYLES[style]}
    events = write_keys(Chance("keys", style), CHORDS, style)
    filled = 0
    for chord in CHORDS:
        played = {e.beat - chord.beat: e.beats for e in events if chord.beat <= e.beat < chord.end}
        assert set(played) <= set(beats)
        for beat, length in played.items():
            after = next((b for b in beats if b > beat), None)
            if after is None or after in played:
                assert length == pytest.approx(usual[beat] - 0.04)
            else:
                filled += 1
                following = min((b for b in played if b > beat), default=4.0)
                assert length == pytest.approx(following - beat - 0.04)
    assert filled > 3
