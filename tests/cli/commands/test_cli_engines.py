"""``lullwave engines``: what each engine is, also where its packages are not installed."""

import json
import subprocess
import sys


def test_engines_lists_and_describes(lullwave):
    overview = lullwave("engines").stdout.decode()
    assert "synth" in overview
    assert "birdsong" in overview
    one = lullwave("engines", "birdsong").stdout.decode()
    assert "how many birds sing" in one
    assert "from 1 to 12" in one


def test_json_has_every_option(lullwave):
    found = {entry["name"]: entry for entry in json.loads(lullwave("engines", "--json").stdout)}
    assert {"synth", "musicgen", "riffusion", "birdsong"} <= set(found)
    one = json.loads(lullwave("engines", "birdsong", "--json").stdout)
    assert one == found["birdsong"]
    assert (one["ready"], [option["name"] for option in one["options"]]) == (True, ["birds"])
    assert one["options"][0]["allowed"] == "a whole number from 1 to 12"


def test_a_base_install_tells_what_each_engine_is(environment):
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'diffusers', 'safetensors'): sys.modules[name] = None\n"
        "from lullwave.cli import main\n"
        "main()\n"
    )

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, env=environment, timeout=60
        )

    found = {entry["name"]: entry for entry in json.loads(run("engines", "--json").stdout)}
    for name, words in (("musicgen", "transformer"), ("riffusion", "diffusion")):
        assert words in found[name]["summary"]
        assert not found[name]["ready"]
        assert found[name]["problem"] == "pip install 'lullwave[ai]'"
        assert {"guidance"} <= {option["name"] for option in found[name]["options"]}
    one = run("engines", "musicgen").stdout.decode()
    assert "not ready: pip install 'lullwave[ai]'" in one
    assert "top_k" in one
