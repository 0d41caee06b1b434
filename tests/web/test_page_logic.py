"""The page's pure modules, tested by Node's own runner."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lullwave.engines.synth.prompts.choices import choices
from lullwave.engines.synth.prompts.explanation import understand
from lullwave.paths import web_dir

HERE = Path(__file__).parent
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed")
@pytest.mark.parametrize("tests", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.name.split(".")[0])
def test_page_logic(tests: Path):
    assert NODE is not None
    run = subprocess.run([NODE, "--test", str(tests)], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]


def test_words_of_the_engine_are_understood_in_the_pages_language_as_they_are_in_english():
    offered = {word for words in choices().values() for word in words}
    german = dict(re.findall(r"'word\.([^']+)': '([^']+)',", (web_dir() / "strings" / "de.js").read_text()))
    told = offered & german.keys()
    assert len(told) > 60
    for word in told:
        meant, said = understand(word), understand(german[word])
        assert (said.understood, said.ignored) == (meant.understood, ()), word


def test_requests_that_the_page_proposes_mean_the_same_in_every_language():
    proposed = re.compile(r"'(idea\.\w+|(?:bar|steering)\.example)': '(.+)',")
    meant = {}
    for path in (web_dir() / "strings").glob("*.js"):
        meant[path.stem] = {key: understand(words) for key, words in proposed.findall(path.read_text())}
    assert len(meant["en"]) == 6
    for understood in meant.values():
        assert {key: (one.text, one.ignored) for key, one in understood.items()} == {
            key: (one.text, ()) for key, one in meant["en"].items()
        }
