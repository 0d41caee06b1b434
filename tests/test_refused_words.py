"""A refused word is found however it is written, and only where it is a word."""

import pytest

from lullwave.errors import PromptError, SettingsError
from lullwave.refused_words import RefusedWords
from lullwave.settings import load

WORDS = RefusedWords.parse("scream, death  metal, Straße, café, don't, \u53eb\u3073, \u0939\u093f\u0902\u0926\u0940")


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("scream", "scream"),
        ("a SCREAM, slowly", "scream"),
        ("\uff53\uff43\uff52\uff45\uff41\uff4d", "scream"),  # full width
        ("\U0001d42c\U0001d41c\U0001d42b\U0001d41e\U0001d41a\U0001d426", "scream"),  # mathematical letters
        ("sc\u200bre\u00adam piano", "scream"),  # zero-width space, soft hyphen
        *((f"sc{unseen}r{unseen}eam piano", "scream") for unseen in "\u034f\ufe0f\u180b\u180f\u115f\u1160\u3164"),
        *((f"sc{unseen}ream", "scream") for unseen in "\uffa0\u2800\U000e0100\U000e0041\u2060\u17b4\ufeff\x00\x1b"),
        ("s\u0338c\u0338r\u0338eam", "scream"),  # struck through
        ("scr\u00e9am, scre\u0300\u0316am", "scream"),
        ("\u015bcr\u00eb\u00e3m", "scream"),
        ("caf\u00e9\u0338", "café"),
        ("cafe, please", None),  # the accent is part of the word that is refused
        ("death\u2800metal death\u3164METAL", "death metal"),  # a blank is also a space
        (r'{"entries": [{"prompt": "sc\u0072eam piano"}]}', "scream"),  # JSON in a text
        (r'{"prompt": "piano\nscream\tloud"}', "scream"),
        (r'["{\"prompt\": \"sc\\u0072e\\u0061m\"}"]', "scream"),  # JSON in JSON
        (r'{"prompt": "\ud835\udc2c\ud835\udc1cream \ud835"}', "scream"),  # pairs of surrogates, and half a one
        (r'{"prompt": "s\u200bcr\u034feam"}', "scream"),
        (r'{"prompt": "\u5c0f\u53eb\u3073"}', "\u53eb\u3073"),
        (r'{"prompt": "main\u0073tream \u00e9"}', None),
        ("\u0939\u093f\u0902\u0926 song", None),  # vowel signs are letters
        ("low_scream_piano", "scream"),
        ("(scream:1.3) pads", "scream"),
        ("piano, -scream", "scream"),
        ("sc\\\\ream?", None),
        (r"\(scream\)", "scream"),
        ("death metal", "death metal"),
        ("Death-\tMETAL", "death metal"),
        ("death to metal", None),
        ("STRASSE at night", "Straße"),
        ("cafe\u0301 music", "café"),  # the accent by itself
        ("cafeteria", None),
        ("we don\u2019t", "don't"),
        ("screaming streams", None),
        ("mainstream", None),
        ("\u5c0f\u3055\u306a\u53eb\u3073\u58f0", "\u53eb\u3073"),  # no spaces between words
        ("\u0939\u093f\u0902\u0926\u0940 song", "\u0939\u093f\u0902\u0926\u0940"),
        ("calm piano", None),
        ("", None),
    ],
)
def test_a_word_is_found_in_every_writing_and_never_inside_another(prompt, word):
    if word is None:
        WORDS.check(prompt)
    else:
        with pytest.raises(PromptError, match="refused") as refused:
            WORDS.check(prompt)
        assert repr(word) in str(refused.value)


def test_a_list_of_nothing_refuses_nothing_and_odd_words_are_no_setting(tmp_path):
    for empty in ("", " , ,"):
        assert RefusedWords.parse(empty).find("scream") is None
    assert load({"refused_words": "a, b"}).refused_words == "a, b"
    for odd in ("scream, !!", "\u200b", "\u3164\u2800\ufe0f", ",".join(map(str, range(1001)))):
        with pytest.raises(SettingsError, match="refused_words"):
            load({"refused_words": odd})
