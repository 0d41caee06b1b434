"""Prompts in the notations of other programs: nothing is dropped or turned into its opposite."""

import contextlib
import re
from pathlib import Path

import pytest

from lullwave.engines.synth.prompts.explanation import understand
from lullwave.errors import PromptError
from lullwave.prompt import Prompt
from lullwave.prompt_forms import rewritten


@pytest.mark.parametrize(
    ("source", "parts", "avoid"),
    [
        ("jazz::2 synthwave::1", {"jazz": 2 / 3, "synthwave": 1 / 3}, ""),
        ("jazz ::2 | synthwave ::1", {"jazz": 2 / 3, "synthwave": 1 / 3}, ""),
        ("jazz:: synthwave::", {"jazz": 0.5, "synthwave": 0.5}, ""),
        ("warm jazz, rain::1,5 night::0.5 drums::-1", {"warm jazz, rain": 0.75, "night": 0.25}, "drums"),
        ("jazz:2 | synthwave:1", {"jazz": 2 / 3, "synthwave": 1 / 3}, ""),
        ("jazz :1,5 | synthwave :0,5", {"jazz": 0.75, "synthwave": 0.25}, ""),
        ("bpm:8 | jazz", {"bpm:8": 0.5, "jazz": 0.5}, ""),
        ("piano:1.5", {"piano:1.5": 1.0}, ""),
        ("piano -drums warm pads", {"piano, warm pads": 1.0}, "drums"),
        ("piano; -bass", {"piano;": 1.0}, "bass"),
        ("piano\n-drums", {"piano": 1.0}, "drums"),
        ("piano --no drums, vocals", {"piano": 1.0}, "drums, vocals"),
        ("piano. Negative prompt: drums, bass", {"piano.": 1.0}, "drums, bass"),
        ("piano\nInstruments to avoid: drums, bass", {"piano": 1.0}, "drums, bass"),
        ("piano, without: drums, bass", {"piano": 1.0}, "drums, bass"),
        ("piano::2, drums::0", {"piano": 1.0}, "drums"),
        ("piano::2 drums::-0", {"piano": 1.0}, "drums"),
        ("piano, drums 0%", {"piano": 1.0}, "drums"),
        ("piano, drums: 0 %, rain", {"piano, rain": 1.0}, "drums"),
        ("piano, drums 10%", {"piano, drums 10%": 1.0}, ""),
        ("piano, \N{MINUS SIGN}drums", {"piano": 1.0}, "drums"),
        ("piano, tempo: 90/min", {"piano, tempo: 90 bpm": 1.0}, ""),
        ('bpm: "90", jazz', {"bpm: 90, jazz": 1.0}, ""),
        ('"bpm": "90", "style": "jazz"', {"90 bpm, jazz": 1.0}, ""),
        ("- piano\n- rain", {"piano\nrain": 1.0}, ""),
        ("1. piano\n2) rain\n• night", {"piano\nrain\nnight": 1.0}, ""),
        ("- drums", {"": 1.0}, "drums"),
        ("piano - night", {"piano - night": 1.0}, ""),
        ("lo-fi hip-hop", {"lo-fi hip-hop": 1.0}, ""),
        ("(piano -drums:1.2)", {"piano -drums": 1.0}, ""),
        ('{"style": "jazz", "bpm": 90, "drums": false}', {"jazz, 90 bpm": 1.0}, "drums"),
        ('["jazz", {"negative_prompt": "drums, bass"}]', {"jazz": 1.0}, "drums, bass"),
        ('{"mood": null, "tempo": "80-90", "key": "D minor"}', {"80-90 bpm, key: D minor": 1.0}, ""),
        ('{"prompt": "not closed', {'{"prompt": "not closed': 1.0}, ""),
        ("[3]", {"3": 1.0}, ""),
        ("{}", {"{}": 1.0}, ""),
        ("(piano:1,3) rain", {"piano rain": 1.0}, ""),
    ],
)
def test_other_notations_are_read(source, parts, avoid):
    found = Prompt.parse(source)
    assert {part.text: pytest.approx(part.share) for part in found.parts} == parts
    assert found.avoid_text == avoid
    assert found.source == source


@pytest.mark.parametrize(
    "number", ["1" + "0" * 400, "-1" + "0" * 400, "7" * 900, "1e999", "-1e999", "NaN", "0", "-0.0"]
)
@pytest.mark.parametrize("name", ["bpm", "tempo", "drums", "seed", ""])
def test_numbers_of_any_size_in_json_are_read_or_told(number, name):
    for source in (f'{{"{name}": {number}, "style": "jazz"}}', f'["jazz", {{"{name}": {{"value": {number}}}}}]'):
        assert "jazz" in understand(source).text
        assert any("jazz" in part.text for part in Prompt.parse(source).parts)


def test_the_documented_notations_are_read_as_the_documents_say():
    page = (Path(__file__).parents[1] / "docs" / "use" / "clips.md").read_text()
    table = page.partition("| in another notation | read as |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [re.findall(r"`([^`]+)`", row.replace("\\|", "|")) for row in table.splitlines()]
    assert len(rows) > 8
    for foreign, own in rows:
        found, wanted = Prompt.parse(foreign), Prompt.parse(own)
        assert (found.parts, found.avoid_text) == (wanted.parts, wanted.avoid_text), foreign
        assert foreign != own


@pytest.mark.parametrize(
    ("source", "tempo"),
    [
        ("Beats per Minute (BPM): 100", 100),
        ("Tempo (bpm): 92", 92),
        ("**BPM:** 85", 85),
        ("Tempo in BPM = 100", 100),
        ("beats/min: 77", 77),
        ("tempo: 80,5", 80.5),
        ("80,5 bpm piano", 80.5),
        ('{"tempo_bpm": 90.5}', 90.5),
        ('{"song": {"Tempo": "90"}}', 90),
    ],
)
def test_labels_of_a_tempo_are_read(source, tempo):
    said = understand(source)
    assert said.understood["tempo_bpm"] == tempo
    assert said.ignored == ()


@pytest.mark.parametrize("word", ["बारिश", "ฝนตกหนัก", "மழையில்", "הַגֶּשֶׁם", "👩\u200d🎤", "🇫🇷", "ကမ္ဘာ"])
def test_what_is_not_understood_is_shown_whole(word):
    said = understand(f"qwxyz {word}")
    assert "qwxyz" in said.ignored
    if len(said.ignored) > 1:  # else it is in the vocabulary
        assert said.ignored[1:] == (word,)


@pytest.mark.parametrize("source", ["[" * 999, '{"a":' * 190, "::" * 400, "-a " * 333, "--no " * 200, "a::99 b::1"])
def test_odd_prompts_parse_or_are_told(source):
    with contextlib.suppress(PromptError):
        assert Prompt.parse(source).parts


@pytest.mark.parametrize("text", ["rainy night piano", "(warm:1.3) pads", "jazz :2 | synthwave :1", r"a \- b \: c", ""])
def test_the_grammar_itself_is_left_alone(text):
    assert rewritten(text) == text
